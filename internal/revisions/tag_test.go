package revisions

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// AddTag puts the tag before each revision. It skips common prefixes, which have no revision.
func TestAddTagsEachRevision(t *testing.T) {
	// AddTag writes revisions into blocks of memory. The long one does not fit into a block of the usual size.
	long := strings.Repeat("r", 2*blockBytes)
	entries := []storage.ListEntry{
		{Revision: "1"},
		{Key: "folder/", IsPrefix: true},
		{Revision: long},
		{Revision: "2"},
	}
	AddTag("tag:", entries)
	require.Equal(t, []storage.ListEntry{
		{Revision: "tag:1"},
		{Key: "folder/", IsPrefix: true},
		{Revision: "tag:" + long},
		{Revision: "tag:2"},
	}, entries)
}

// AddTag allocates the revisions of a page in a few blocks.
func TestRevisionsShareAllocations(t *testing.T) {
	entries := make([]storage.ListEntry, 1000)
	allocations := testing.AllocsPerRun(10, func() {
		for i := range entries {
			entries[i].Revision = "12345678"
		}
		AddTag("tag:", entries)
	})

	// 1,000 revisions of 12 bytes need three blocks of 4 KiB.
	require.LessOrEqual(t, allocations, 4.0)
}
