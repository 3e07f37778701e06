package revisions

import (
	"strings"

	"github.com/omnibucket/storage"
)

// blockBytes is the number of bytes of revisions that share one allocation. If a caller keeps one entry,
// only one block stays in memory, and not the revisions of the whole page.
const blockBytes = 4 << 10

// AddTag puts tag before the revision of each entry that has one.
func AddTag(tag string, entries []storage.ListEntry) {
	remaining := 0 // number of bytes of the revisions that are not yet in a block
	for i := range entries {
		if entries[i].Revision != "" {
			remaining += len(tag) + len(entries[i].Revision)
		}
	}

	// The revisions are parts of large blocks, which saves allocations.
	var block strings.Builder
	for i := range entries {
		entry := &entries[i]
		if entry.Revision == "" {
			continue
		}

		size := len(tag) + len(entry.Revision)
		free := block.Cap() - block.Len()
		if free < size {
			// Begin a new block. The last one stays in memory as long as its revisions are used.
			block = strings.Builder{}
			block.Grow(max(size, min(remaining, blockBytes)))
		}

		// The revision becomes the part of the block that is written here.
		start := block.Len()
		block.WriteString(tag)
		block.WriteString(entry.Revision)
		entry.Revision = block.String()[start:]
		remaining -= size
	}
}
