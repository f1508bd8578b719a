package overlay

import (
	"testing"

	"github.com/astrid-go/astrid/vfs"
	"github.com/astrid-go/astrid/vfs/vfstest"
)

func TestAnOverlayIsAFileSystem(t *testing.T) {
	for what, layer := range map[string]func(*rig){
		"OfTheLower": func(*rig) {},
		"OfTheUpper": func(r *rig) { // everything is a change
			names, err := r.ReadDir(vfs.Root())
			must(t, err)
			must(t, r.Mkdir(name(t, "all")))
			for _, e := range names {
				must(t, r.Rename(name(t, e), name(t, "all/"+e)))
			}
			for _, e := range names {
				must(t, r.Rename(name(t, "all/"+e), name(t, e)))
			}
			must(t, r.Remove(name(t, "all")))
		},
		"OfBoth": func(r *rig) {
			must(t, r.Rename(name(t, "dir/sub"), name(t, "other")))
			must(t, r.Rename(name(t, "other"), name(t, "dir/sub")))
		},
	} {
		t.Run(what, func(t *testing.T) {
			vfstest.Run(t, func(t *testing.T, files map[string]string) vfs.FS {
				r := newRig(t, files)
				layer(r)
				return r.Overlay
			})
		})
	}
}
