package transfer

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/evidence"
)

// A nesting finds out whether one end lies in a folder of another one under another address, such as a directory
// that a server serves. Then the outer end has the files of the inner one below that folder. A folder that
// seems to have one of its first files is asked about once, before anything in it is replaced or removed.
type nesting struct {
	outer, inner openedEnd
	refused      *storage.Error
	first        map[string]entry // files of the inner end, by key
	folders      map[string]bool  // of the outer end, that were asked about
}

const (
	maxFirst   = 1000
	maxFolders = 100 // each takes two questions
	// listedTogether is how far two listings of one file may differ: some list seconds.
	listedTogether = 2 * time.Second
)

// begin reads the first files of the inner end: of all shards, because in the outer one its keys are in other ranges.
func (n *nesting) begin(ctx context.Context, s *settings) error {
	n.first, n.folders = map[string]entry{}, map[string]bool{}
	whole := *s
	whole.ranges = nil
	for e, err := range n.inner.entries(ctx, &whole, "") {
		if err != nil {
			return err
		}
		if e.kind == regular {
			n.first[e.key] = e
		}
		if len(n.first) == maxFirst {
			break
		}
	}
	return nil
}

// see looks at a file of the outer end. It fails if the inner end lies in one of the folders of its key.
func (n *nesting) see(ctx context.Context, file entry) error {
	for key, i := file.key, 0; ; {
		slash := strings.IndexByte(key[i:], '/')
		if slash < 0 {
			return nil
		}
		i += slash + 1
		folder, name := key[:i], key[i:]
		inner, there := n.first[name]
		if !there || !mayBeOne(file, inner) || n.folders[folder] || len(n.folders) == maxFolders {
			continue
		}
		n.folders[folder] = true
		if err := n.ask(ctx, folder, name); err != nil {
			return err
		}
	}
}

// mayBeOne reports whether two entries may be of one file. A layer may show another size, and a second store has
// another time.
func mayBeOne(a, b entry) bool {
	return a.size == b.size && a.size > 0 || a.modified.Sub(b.modified).Abs() <= listedTogether
}

// ask fails if the inner end is a folder of the outer one.
func (n *nesting) ask(ctx context.Context, folder, name string) error {
	outer, inner := asked(n.outer), asked(n.inner)
	found, inInner := evidence.Appears(ctx, outer, folder, inner, "")
	if errors.Is(inInner, fs.ErrNotExist) { // a directory without this folder: a backup gets those of the destination
		return nil
	}
	if found || inInner != nil && !cannotWrite(inInner) {
		return onePlace(found, inInner, n.refused)
	}
	found, inOuter := evidence.Appears(ctx, inner, "", outer, folder)
	if found || inOuter != nil && !cannotWrite(inOuter) {
		return onePlace(found, inOuter, n.refused)
	}
	if inInner == nil && inOuter == nil {
		return nil
	}
	one, err := oneObject(ctx, n.outer, folder+name, n.inner, name)
	return onePlace(one, err, n.refused)
}

// oneObject reports whether two objects have all in common: a copy is younger. It is the answer for an end that takes
// no files.
func oneObject(ctx context.Context, a openedEnd, there string, b openedEnd, here string) (bool, error) {
	outer, isBucket := a.(*objects)
	inner, both := b.(*objects)
	if !isBucket || !both {
		return false, nil
	}
	first, err := outer.from.Attrs(ctx, there)
	if err != nil {
		return false, err
	}
	second, err := inner.from.Attrs(ctx, here)
	if err != nil {
		return false, err
	}
	return first.Size == second.Size && first.ETag != "" && first.ETag == second.ETag &&
		first.Modified.Equal(second.Modified), nil
}
