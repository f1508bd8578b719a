package principal

import (
	"crypto/ed25519"
	"testing"
)

func TestVerifySignature(t *testing.T) {
	public, private, _ := ed25519.GenerateKey(nil)
	other, _, _ := ed25519.GenerateKey(nil)
	alice := ID{name: "alice"}
	nonce := [NonceBytes]byte{1, 2, 3}
	message := AuthMessage(alice, nonce)
	signature := ed25519.Sign(private, message)
	good := NewProfile()
	good.Auth = Auth{Methods: []string{"keypair"}, PublicKeys: []string{FormatPublicKey(other), FormatPublicKey(public)}}
	for _, tc := range []struct {
		rule      string
		change    func(*Profile)
		message   []byte
		signature []byte
		want      bool
	}{
		{"any of the profile's keys proves the name", nil, message, signature, true},
		{"a disabled profile proves nothing", func(p *Profile) { p.Enabled = false }, message, signature, false},
		{"the keypair method has to be allowed", func(p *Profile) { p.Auth.Methods = []string{"system"} }, message, signature, false},
		{"no key, no proof", func(p *Profile) { p.Auth.PublicKeys = nil }, message, signature, false},
		{"another's key proves nothing", func(p *Profile) { p.Auth.PublicKeys = p.Auth.PublicKeys[:1] }, message, signature, false},
		{"a signature for another name proves nothing", nil, AuthMessage(ID{name: "bob"}, nonce), signature, false},
		{"a replayed signature proves nothing", nil, AuthMessage(alice, [NonceBytes]byte{9}), signature, false},
		{"a truncated signature proves nothing", nil, message, signature[:63], false},
		{"no signature proves nothing", nil, message, nil, false},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			p := good
			if tc.change != nil {
				tc.change(&p)
			}
			if got := VerifySignature(p, tc.message, tc.signature); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestAuthMessageIsTheWireText(t *testing.T) {
	want := "astrid-principal-auth:v1:alice:ab00000000000000000000000000000000000000000000000000000000000000"
	if got := string(AuthMessage(ID{name: "alice"}, [NonceBytes]byte{0xab})); got != want {
		t.Errorf("got %s", got)
	}
}
