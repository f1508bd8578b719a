package gate

import "context"

// Refusal is why something was refused that no grant could have allowed.
type Refusal struct {
	Code Code
	// Rule says which border was met, Unlock what to do instead.
	Rule, Unlock string
}

// Refuse records a denial that the resource decided and not the gate: only who resolves a path finds the link that
// leads out of the workspace. The request may be malformed in every way; nothing but its record comes of it. It always
// returns a *Denied.
func (g *Gate) Refuse(ctx context.Context, r Request, why Refusal) error {
	v := deny(why.Code, why.Rule, why.Unlock)
	v.class = actions[r.Action]
	_, err := g.conclude(ctx, r, v, decisionBody(r, v, hashArgs(r.Args)))
	return err
}
