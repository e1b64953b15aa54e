import { mount } from 'svelte';
import './styles/base.css';
import './styles/markdown.css';
import Root from './Root.svelte';

mount(Root, { target: document.getElementById('app')! });
