/** What breaks while it is drawn is told in words instead of leaving an empty page. Owns the boundary only. */
import { Component, type ReactNode } from "react";
import { Broken } from "./signed_out.js";

interface ContainedProps {
  /** Where on the page this is: another place is drawn anew. */
  readonly place: string;
  readonly children: ReactNode;
}

interface Contents {
  readonly broken: boolean;
}

export class Contained extends Component<ContainedProps, Contents> {
  override readonly state: Contents = { broken: false };

  static getDerivedStateFromError(): Contents {
    return { broken: true };
  }

  override componentDidUpdate(before: ContainedProps): void {
    if (this.state.broken && before.place !== this.props.place) this.setState({ broken: false });
  }

  override render(): ReactNode {
    return this.state.broken ? <Broken /> : this.props.children;
  }
}
