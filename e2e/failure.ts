/** Something outside is missing or refused: its message is all that a reader needs, a stack would only hide it. */
export class Failure extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "Failure";
  }
}
