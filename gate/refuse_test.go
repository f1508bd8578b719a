package gate

import "testing"

func TestRefusalIsRecordedAndExplained(t *testing.T) {
	w, who := populated(t)
	for _, resource := range []string{"cwd://../secret", "/etc/passwd", "\x00"} {
		err := w.Refuse(t.Context(),
			Request{Principal: who("alice"), Capsule: "fs", Call: "1", Action: "fs.read", Resource: resource},
			Refusal{Code: CodeBoundary, Rule: "paths stay in the workspace", Unlock: "use a relative path"})
		d := denied(t, err)
		if d.Code != CodeBoundary || d.ID == "" {
			t.Fatalf("refuse %q: got %+v, want a recorded denial", resource, d)
		}
		e, err := w.Explain(who("alice"), d.ID)
		if err != nil || e.Allowed || e.Rule != "paths stay in the workspace" {
			t.Errorf("explain %q: got %+v, %v, want the denial", resource, e, err)
		}
	}
}
