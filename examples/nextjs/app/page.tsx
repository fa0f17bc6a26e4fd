/** A server component: it knows the address, and the client component below it is told who this is. */

import { Plan } from "./plan.tsx";

export default async function Page({ searchParams }: { searchParams: Promise<{ name?: string }> }) {
  const { name } = await searchParams;
  return <Plan username={name ?? "Guest"} />;
}
