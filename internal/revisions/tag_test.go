package revisions

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

func TestAddTagsEachRevision(t *testing.T) {
	long := strings.Repeat("r", 2*block)
	entries := []storage.ListEntry{{Revision: "1"}, {Key: "folder/", IsPrefix: true}, {Revision: long}, {Revision: "2"}}
	AddTag("tag:", entries)
	require.Equal(t, []storage.ListEntry{
		{Revision: "tag:1"}, {Key: "folder/", IsPrefix: true}, {Revision: "tag:" + long}, {Revision: "tag:2"},
	}, entries)
}

func TestRevisionsShareAllocations(t *testing.T) {
	entries := make([]storage.ListEntry, 1000)
	allocated := testing.AllocsPerRun(10, func() {
		for i := range entries {
			entries[i].Revision = "12345678"
		}
		AddTag("tag:", entries)
	})
	require.LessOrEqual(t, allocated, 4.0, "12,000 bytes in blocks of 4 KiB")
}
