package revisions

import (
	"strings"

	"github.com/omnibucket/storage"
)

// block is the number of bytes of revisions that share one allocation. If a caller keeps one entry,
// only one block stays in memory, and not the revisions of the whole page.
const block = 4 << 10

// AddTag puts tag before the revision of each entry that has a revision.
func AddTag(tag string, entries []storage.ListEntry) {
	remaining := 0 // bytes of the revisions that are not in a block yet
	for i := range entries {
		remaining += len(tag) + len(entries[i].Revision)
	}
	var text strings.Builder
	for i := range entries {
		entry := &entries[i]
		need := len(tag) + len(entry.Revision)
		if entry.Revision != "" {
			if text.Cap()-text.Len() < need {
				text = strings.Builder{}
				text.Grow(max(need, min(remaining, block)))
			}
			start := text.Len()
			text.WriteString(tag)
			text.WriteString(entry.Revision)
			entry.Revision = text.String()[start:]
		}
		remaining -= need
	}
}
