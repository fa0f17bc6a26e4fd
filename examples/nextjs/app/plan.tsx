"use client";

/** A page on which everybody sees who is here and where they point. */

import { createPresence } from "@presence-service/client";
import { AvatarStack, Board, ConnectionStatus, Cursors, PresenceProvider, useCursorArea } from "@presence-service/react";

// On the server too, where nothing connects: boards are entered by effects.
const presence = createPresence({ url: process.env.NEXT_PUBLIC_PRESENCE_URL ?? "ws://localhost:3001" });

export function Plan({ username }: { username: string }) {
  return (
    <PresenceProvider client={presence}>
      <Board id="example" username={username}>
        <Days />
      </Board>
    </PresenceProvider>
  );
}

function Days() {
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
  { day: "Wednesday", text: "This text comes from the server, with nobody on the page yet." },
];
