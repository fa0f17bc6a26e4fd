/** x */
export {};
