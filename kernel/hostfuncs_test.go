package kernel_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/astrid-go/astrid/api"
	"github.com/astrid-go/astrid/host"
	"github.com/astrid-go/astrid/kv"
)

// hostCase is one call of a host function by a guest: what it gives, or the
// code it fails with.
type hostCase struct {
	what  string
	call  call
	value any // as JSON decodes it; nil is not looked at
	code  string
}

// hostCases run in order against one kernel, in whose workspace stand a file, a
// directory with a file, a link inside and a link out.
func hostCases() []hostCase {
	return []hostCase{
		{"a file of the workspace", call{Fn: "read-file", A: "file.txt"}, "lower", ""},
		{"the same by its scheme", call{Fn: "read-file", A: "cwd://file.txt"}, "lower", ""},
		{"a missing file", call{Fn: "read-file", A: "missing"}, nil, "not-found"},
		{"a directory as a file", call{Fn: "read-file", A: "dir"}, nil, "is-directory"},
		{"a link inside", call{Fn: "read-file", A: "inside"}, "lower", ""},
		{"write", call{Fn: "write-file", A: "new.txt", B: "one"}, nil, ""},
		{"write too much", call{Fn: "write-file", A: "big", Fill: 10<<20 + 1}, nil, "too-large"},
		{"append", call{Fn: "fs-append", A: "new.txt", B: " two"}, nil, ""},
		{"what was written", call{Fn: "read-file", A: "new.txt"}, "one two", ""},
		{"a file that is there", call{Fn: "fs-exists", A: "new.txt"}, true, ""},
		{"one that is not", call{Fn: "fs-exists", A: "none/none"}, false, ""},
		{"mkdir", call{Fn: "fs-mkdir", A: "made"}, nil, ""},
		{"mkdir again", call{Fn: "fs-mkdir", A: "made"}, nil, "already-exists"},
		{"mkdir without a parent", call{Fn: "fs-mkdir", A: "x/y"}, nil, "not-found"},
		{"mkdir-all", call{Fn: "fs-mkdir-all", A: "made/a/b"}, nil, ""},
		{"mkdir-all through a file", call{Fn: "fs-mkdir-all", A: "file.txt/a"}, nil, "not-directory"},
		{"readdir", call{Fn: "fs-readdir", A: "dir"}, []any{"deep.txt"}, ""},
		{"readdir of a file", call{Fn: "fs-readdir", A: "file.txt"}, nil, "not-directory"},
		{"stat", call{Fn: "fs-stat", A: "file.txt"}, nil, ""},
		{"stat of nothing", call{Fn: "fs-stat", A: "missing"}, nil, "not-found"},
		{"stat of a link out", call{Fn: "fs-stat", A: "out"}, nil, "boundary-escape"},
		{"lstat of a link out", call{Fn: "fs-stat-symlink", A: "out"}, nil, ""},
		{"readlink", call{Fn: "fs-read-link", A: "inside"}, "file.txt", ""},
		{"readlink of a link out", call{Fn: "fs-read-link", A: "out"}, nil, "boundary-escape"},
		{"copy", call{Fn: "fs-copy", A: "new.txt", B: "made/copy.txt"}, nil, ""},
		{"copy of nothing", call{Fn: "fs-copy", A: "missing", B: "made/x"}, nil, "not-found"},
		{"rename", call{Fn: "fs-rename", A: "new.txt", B: "made/moved.txt"}, nil, ""},
		{"rename between trees", call{Fn: "fs-rename", A: "made/moved.txt", B: "home://moved.txt"}, nil, "cross-vfs"},
		{"unlink", call{Fn: "fs-unlink", A: "made/moved.txt"}, nil, ""},
		{"unlink again", call{Fn: "fs-unlink", A: "made/moved.txt"}, nil, "not-found"},
		{"unlink of a full directory", call{Fn: "fs-unlink", A: "made"}, nil, "not-empty"},
		{"remove-dir-all", call{Fn: "fs-remove-dir-all", A: "made"}, 4.0, ""},

		{"set", call{Fn: "kv-set", A: "k/1", B: "v"}, nil, ""},
		{"get", call{Fn: "kv-get", A: "k/1"}, "v", ""},
		{"set an empty key", call{Fn: "kv-set", A: "", B: "v"}, nil, "invalid-key"},
		{"set a long key", call{Fn: "kv-set", A: strings.Repeat("k", kv.MaxKeyBytes+1)}, nil, "invalid-key"},
		{"set a key with a NUL", call{Fn: "kv-set", A: "a\x00b"}, nil, "invalid-key"},
		{"set a large value", call{Fn: "kv-set", A: "k/2", Fill: kv.MaxValueBytes + 1}, nil, "too-large"},
		{"swap what is there", call{Fn: "kv-cas", A: "k/1", N: 1, B: "v", C: "w"}, nil, ""},
		{"swap what is not", call{Fn: "kv-cas", A: "k/1", N: 1, B: "v", C: "x"}, nil, "cas-mismatch"},
		{"swap for absence", call{Fn: "kv-cas", A: "k/1", C: "x"}, nil, "cas-mismatch"},
		{"list", call{Fn: "kv-list-keys", A: "k/"}, []any{"k/1"}, ""},
		{"list a page", call{Fn: "kv-list-keys-page", A: "k/", N: 1}, map[string]any{"keys": []any{"k/1"}, "next": ""}, ""},
		{"delete", call{Fn: "kv-delete", A: "k/1"}, nil, ""},
		{"delete again", call{Fn: "kv-delete", A: "k/1"}, nil, ""},
		{"clear", call{Fn: "kv-clear-prefix", A: "k/"}, 0.0, ""},

		{"publish", call{Fn: "publish", A: "note.v1.x", B: "{}"}, nil, ""},
		{"publish no JSON", call{Fn: "publish", A: "note.v1.x", B: "{"}, nil, "invalid-input"},
		{"publish on no topic", call{Fn: "publish", A: "note..x", B: "{}"}, nil, "invalid-input"},
		{"publish on another topic", call{Fn: "publish", A: "other.v1.x", B: "{}"}, nil, "capability-denied"},
		{"publish on a topic of the system", call{Fn: "publish", A: "astrid.v1.request.status", B: "{}"}, nil, "capability-denied"},

		{"an ungranted host", call{Fn: "http-request", A: "http://example.com/", C: "GET"}, nil, "capability-denied"},
		{"ask about nothing", call{Fn: "request-approval", A: "", B: ""}, nil, "invalid-input"},

		{"a value that is not configured", call{Fn: "get-config", A: "missing"}, nil, ""},
		{"a reserved value", call{Fn: "get-config", A: "ASTRID_HOME"}, nil, "config-key-reserved"},
		{"the caller", call{Fn: "get-caller"}, nil, ""},
		{"a long log message", call{Fn: "log", N: 2, Fill: 1 << 20}, nil, ""},
		{"the clock", call{Fn: "clock-ms"}, nil, ""},
		{"the other clock", call{Fn: "clock-monotonic-ns"}, nil, ""},
		{"sleep", call{Fn: "sleep-ns", N: 1}, nil, ""},
		{"sleep too long", call{Fn: "sleep-ns", N: 61e9}, nil, "too-large"},
		{"random bytes", call{Fn: "random-bytes", N: 4096}, 4096.0, ""},
		{"too many of them", call{Fn: "random-bytes", N: 4097}, nil, "too-large"},
	}
}

// TestHostFunctions calls every function of every interface, rightly and
// wrongly. A function without a case fails it.
func TestHostFunctions(t *testing.T) {
	h := withProbe(t, everything)
	h.furnish()
	c := h.operator()
	tried := map[string]bool{}
	for _, k := range hostCases() {
		tried[k.call.Fn] = true
		got := c.host(k.call)
		if got.Code != k.code || k.value != nil && fmt.Sprint(got.Value) != fmt.Sprint(k.value) {
			t.Errorf("%s: %s gives %+v, want %v and code %q", k.what, k.call.Fn, got, k.value, k.code)
		}
	}
	for _, i := range host.Interfaces() {
		for _, f := range i.Funcs {
			if !tried[f.Name] {
				t.Errorf("%s %s has no case", i.Name, f.Name)
			}
		}
	}
}

// furnish puts files and links into the workspace, and a secret beside it.
func (h *house) furnish() {
	write(h.t, filepath.Join(h.workspace, "file.txt"), []byte("lower"))
	write(h.t, filepath.Join(h.workspace, "dir", "deep.txt"), []byte("deep"))
	secret := filepath.Join(filepath.Dir(h.workspace), "secret.txt")
	write(h.t, secret, []byte("secret"))
	for name, target := range map[string]string{"inside": "file.txt", "out": secret, "out-relative": "../secret.txt", "loop": "loop"} {
		if err := os.Symlink(target, filepath.Join(h.workspace, name)); err != nil {
			h.t.Fatal(err)
		}
	}
}

// needsNoPermit lists functions that act within the capsule's own walls.
func needsNoPermit() []string {
	return []string{"get-config", "get-caller", "log", "clock-ms", "clock-monotonic-ns", "sleep-ns", "random-bytes"}
}

// TestNothingIsGrantedByDefault calls every function from a capsule whose
// manifest asks for nothing. Approval is no right: the question goes to a
// person, who is not there to be asked about nothing.
func TestNothingIsGrantedByDefault(t *testing.T) {
	h := withProbe(t, "")
	c := h.operator()
	for _, i := range host.Interfaces() {
		for _, f := range i.Funcs {
			if slices.Contains(needsNoPermit(), f.Name) || f.Name == "request-approval" {
				continue
			}
			a := call{Fn: f.Name, A: "x", B: "y", C: "GET"}
			switch f.Name {
			case "publish":
				a.A, a.B = "note.v1.x", "{}"
			case "http-request":
				a.A = "http://127.0.0.1:1/"
			}
			r := c.tool("host", a)
			var o outcome
			if err := json.Unmarshal([]byte(r.Content), &o); err != nil {
				t.Fatalf("%s: %v", r.Content, err)
			}
			// astrid:kv has no case for a denial; its text is then the gate's.
			if o.Code != "capability-denied" && !strings.Contains(o.Text, "not_granted") && !strings.Contains(o.Text, "denied") {
				t.Errorf("%s without a grant: %+v", f.Name, o)
			}
			var why api.Explanation
			c.request(api.MethodExplain, api.ExplainQuery{Call: r.CallID}, &why)
			if len(why.Denials) != 1 || why.Denials[0].Code != "not_granted" {
				t.Errorf("%s: on record is %+v", f.Name, why)
			}
		}
	}
}

// TestPathsThatLeadOut tries them with every function that takes a path.
func TestPathsThatLeadOut(t *testing.T) {
	h := withProbe(t, everything)
	h.furnish()
	c := h.operator()
	paths := map[string]string{
		"../secret.txt": "boundary-escape", "dir/../../secret.txt": "boundary-escape", "/etc/passwd": "boundary-escape",
		"cwd://../secret.txt": "boundary-escape", "home://../../x": "boundary-escape", "/tmp/../../x": "boundary-escape",
		"cwd:///etc/passwd": "boundary-escape", "a\x00b": "invalid-path", strings.Repeat("a", 5000): "invalid-path",
		"out": "boundary-escape", "out-relative": "boundary-escape",
	}
	for path, want := range paths {
		for _, fn := range []string{"read-file", "fs-stat", "write-file", "fs-append", "fs-copy", "fs-readdir", "fs-exists"} {
			if got := c.host(call{Fn: fn, A: path, B: "x"}); got.Code != want {
				t.Errorf("%s %.40q: %+v, want %s", fn, path, got, want)
			}
		}
	}
	if got := c.host(call{Fn: "read-file", A: "loop"}); got.Code == "" || strings.Contains(got.Text, h.workspace) {
		t.Errorf("a link to itself: %+v", got)
	}
	secret, err := os.ReadFile(filepath.Join(filepath.Dir(h.workspace), "secret.txt"))
	if err != nil || string(secret) != "secret" {
		t.Errorf("the file beside the workspace: %q, %v", secret, err)
	}
}

// TestALinkOpensNothingThatIsNotGranted reaches for a file of the workspace that
// no grant covers, through a link in a directory that one does.
func TestALinkOpensNothingThatIsNotGranted(t *testing.T) {
	h := withProbe(t, `
[capabilities]
fs_read = ["cwd://pub/**"]
fs_write = ["cwd://pub/**"]
`)
	write(t, filepath.Join(h.workspace, "pub", "own.txt"), []byte("own"))
	write(t, filepath.Join(h.workspace, "private", "key"), []byte("private"))
	for link, to := range map[string]string{"pub/file": "../private/key", "pub/dir": "../private", "pub/fine": "own.txt"} {
		if err := os.Symlink(to, filepath.Join(h.workspace, link)); err != nil {
			t.Fatal(err)
		}
	}
	c := h.operator()
	for _, reach := range []call{
		{Fn: "read-file", A: "pub/file"}, {Fn: "read-file", A: "pub/dir/key"}, {Fn: "fs-readdir", A: "pub/dir"},
		{Fn: "write-file", A: "pub/file", B: "x"}, {Fn: "write-file", A: "pub/dir/new", B: "x"}, {Fn: "fs-stat", A: "pub/file"},
	} {
		if got := c.host(reach); got.Code != "capability-denied" {
			t.Errorf("%s %s: got %+v, want capability-denied", reach.Fn, reach.A, got)
		}
	}
	if got := c.host(call{Fn: "read-file", A: "pub/fine"}); got.Code != "" {
		t.Errorf("a link to what is granted: %+v", got)
	}
}

// TestEgress runs requests against servers on loopback, which the operator made
// reachable.
func TestEgress(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("other")) }))
	defer other.Close()
	mux := http.NewServeMux()
	granted := httptest.NewServer(mux)
	defer granted.Close()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s %s", r.Method, r.Header.Get("X-A")) })
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) })
	mux.HandleFunc("/round", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/round", http.StatusFound) })
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 10<<20+1)) })
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "9")
		w.Write([]byte("x"))
	})

	t.Setenv("HTTP_PROXY", other.URL)
	h := withProbe(t, fmt.Sprintf("[capabilities]\nnet = [%q, \"127.0.0.2\", \"localhost\"]\n", strings.TrimPrefix(granted.URL, "http://")))
	c := h.operator()
	port := granted.URL[strings.LastIndex(granted.URL, ":"):]
	for name, k := range map[string]struct {
		call call
		body string
		code string
	}{
		"a granted host":            {call{A: granted.URL, C: "POST", B: "b", Headers: [][2]string{{"X-A", "1"}}}, "POST 1", ""},
		"an ungranted port":         {call{A: other.URL, C: "GET"}, "", "capability-denied"},
		"a redirect to it":          {call{A: granted.URL + "/away", C: "GET"}, "", "capability-denied"},
		"redirects without an end":  {call{A: granted.URL + "/round", C: "GET"}, "", "connection-error"},
		"a large answer":            {call{A: granted.URL + "/large", C: "GET"}, "", "body-too-large"},
		"an answer that is cut":     {call{A: granted.URL + "/cut", C: "GET"}, "", "connection-error"},
		"a header that is smuggled": {call{A: granted.URL, C: "GET", Headers: [][2]string{{"X-A", "1\r\nX-B: 2"}}}, "", "invalid-request"},
		"another Host":              {call{A: granted.URL, C: "GET", Headers: [][2]string{{"Host", "x"}}}, "", "invalid-request"},
		"credentials in the URL":    {call{A: "http://u:p@127.0.0.1" + port, C: "GET"}, "", "invalid-request"},
		"a shortened address":       {call{A: "http://127.1" + port, C: "GET"}, "", "invalid-request"},
		"an IPv4-mapped address":    {call{A: "http://[::ffff:127.0.0.1]" + port, C: "GET"}, "", "invalid-request"},
		"a private address":         {call{A: "http://127.0.0.2:443/", C: "GET"}, "", "airlock-rejected"},
		"a tunnel":                  {call{A: granted.URL, C: "CONNECT"}, "", "invalid-request"},
	} {
		k.call.Fn = "http-request"
		got := c.host(k.call)
		if got.Code != k.code {
			t.Errorf("%s: %+v, want code %q", name, got, k.code)
			continue
		}
		if v, _ := got.Value.(map[string]any); k.code == "" && v["body"] != k.body {
			t.Errorf("%s: %+v, want body %q", name, got, k.body)
		}
	}
}

// TestAnswersReachTheGuest maps a person's answers to what a guest is told. The
// session's ends with the principal's last connection.
func TestAnswersReachTheGuest(t *testing.T) {
	const denied, approved, session, always, allowance = 0.0, 1.0, 2.0, 3.0, 4.0
	h := withProbe(t, everything)
	c := h.agent("alice")
	keep := h.agent("bob")
	for _, k := range []struct {
		resource, answer string
		want, again      float64
	}{
		{"a", "deny", denied, denied}, {"b", "approve", approved, approved},
		{"c", "approve_session", session, allowance}, {"d", "approve_always", always, allowance},
	} {
		if got := c.asked(k.resource, k.answer); got.Value != k.want {
			t.Errorf("%s: the guest is told %+v, want %v", k.answer, got, k.want)
		}
		if got := c.asked(k.resource, k.answer); got.Value != k.again {
			t.Errorf("%s, the second time: the guest is told %+v, want %v", k.answer, got, k.again)
		}
	}
	if got := keep.asked("c", "deny"); got.Value != denied {
		t.Errorf("alice's allowance covers bob: %+v", got)
	}
}

// asked has the guest ask, and answers if the question reaches the inbox.
func (c *client) asked(resource, answer string) outcome {
	c.t.Helper()
	got := make(chan outcome, 1)
	questions := c.Subscribe(func(topic string) bool { return topic == "astrid.v1.approval" })
	defer questions.Close()
	raised := make(chan string, 1)
	go func() { // ends with questions
		m, err := questions.Next(c.t.Context())
		var q struct {
			RequestID string `json:"request_id"`
		}
		if err == nil && json.Unmarshal(m.Payload, &q) == nil {
			raised <- q.RequestID
		}
	}()
	go func() { got <- c.host(call{Fn: "request-approval", A: "deploy", B: resource}) }() // waited for below
	for {
		select {
		case id := <-raised:
			c.request(api.MethodAnswerApproval, api.ApprovalAnswer{ID: id, Decision: answer}, nil)
		case o := <-got:
			return o
		}
	}
}
