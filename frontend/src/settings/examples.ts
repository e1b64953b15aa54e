/** Programs to copy: what to do with a key. */

const inSingleQuotes = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

export function curlExample(base: string, key: string, model: string): string {
  const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }] });
  return `curl ${base}/chat/completions \\
  -H "Authorization: Bearer ${key}" \\
  -H "Content-Type: application/json" \\
  -d ${inSingleQuotes(body)}`;
}

export function pythonExample(base: string, key: string, model: string): string {
  return `from openai import OpenAI

client = OpenAI(base_url=${JSON.stringify(base)}, api_key=${JSON.stringify(key)})
answer = client.chat.completions.create(
    model=${JSON.stringify(model)},
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.choices[0].message.content)`;
}
