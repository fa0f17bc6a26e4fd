/** A page on which everybody sees who is here and where they point. */

import { createPresence } from "@presence-service/client";
import { AvatarStack, Board, ConnectionStatus, Cursors, PresenceProvider, useCursorArea } from "@presence-service/react";
import "@presence-service/react/styles.css";

const presence = createPresence({ url: import.meta.env.VITE_PRESENCE_URL ?? "ws://localhost:3001" });
const username = new URLSearchParams(location.search).get("name") ?? `Guest ${Math.ceil(Math.random() * 99)}`;

export function App() {
  return (
    <PresenceProvider client={presence}>
      <Board id="example" username={username}>
        <Plan />
      </Board>
    </PresenceProvider>
  );
}

function Plan() {
  const area = useCursorArea<HTMLElement>();
  const { ref } = area;
  return (
    <>
      <header>
        <h1>Plan for spring</h1>
        <AvatarStack />
        <ConnectionStatus />
      </header>
      <main ref={ref}>
        <Cursors area={area} />
        {DAYS.map(({ day, text }) => (
          <section key={day}>
            <h2>{day}</h2>
            <p>{text}</p>
          </section>
        ))}
      </main>
    </>
  );
}

const DAYS = [
  { day: "Monday", text: "Everybody who opens this page sees where you point." },
  { day: "Tuesday", text: "Open it in another window, and move the pointer there." },
  { day: "Wednesday", text: "Change this text: hot reload shows nobody leaving." },
];
