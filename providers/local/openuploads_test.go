package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

func (s *subject) listParts(upload string, after, limit int) *storage.PartPage {
	s.t.Helper()
	page, err := s.ListParts(s.t.Context(), &storage.ListPartsRequest{Key: "k", Upload: upload, After: after, Limit: limit})
	require.NoError(s.t, err)
	return page
}

func TestPartsAreListedWithTheirChecksums(t *testing.T) {
	for _, disk := range disks {
		t.Run(disk.name, func(t *testing.T) {
			s := open(t, disk.tweaks...)
			upload := s.begin(&storage.PutRequest{Key: "k", Size: -1, AnyOrder: true})
			dir := filepath.Join(s.root, uploadPath(upload))
			var want []storage.Part
			for number, text := range map[int]string{1: "one", 2: "two", 10: "ten", 9: "nine"} {
				p, err := s.PutPart(t.Context(), &storage.PartRequest{
					Key: "k", Upload: upload, Number: number, Body: strings.NewReader(text), Size: int64(len(text)), CRC32C: wiretest.CRC32C(text),
				})
				require.NoError(t, err)
				want = append(want, p)
			}
			byNumber := func(parts []storage.Part) map[int]storage.Part {
				m := map[int]storage.Part{}
				for _, p := range parts {
					m[p.Number] = p
				}
				return m
			}
			require.Equal(t, byNumber(want), byNumber(s.listParts(upload, 0, 100).Parts))
			page := s.listParts(upload, 1, 2)
			require.True(t, page.More)
			require.Equal(t, []int{2, 9}, []int{page.Parts[0].Number, page.Parts[1].Number})
			require.False(t, s.listParts(upload, 9, 1).More)

			// Without the file beside it, or with one of another part, the part is read.
			require.NoError(t, os.Remove(filepath.Join(dir, sumName(1))))
			require.NoError(t, os.WriteFile(filepath.Join(dir, sumName(2)), []byte("other 00000000\n"), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(dir, sumName(9)), []byte("\x00"), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "part-007"), []byte("no part"), 0o600))
			require.Equal(t, byNumber(want), byNumber(s.listParts(upload, 0, 100).Parts))
		})
	}
}

func TestUploadsAreListedInEveryProcess(t *testing.T) {
	s := open(t)
	none, err := s.ListUploads(t.Context(), &storage.ListUploadsRequest{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, none.Uploads, "a bucket without uploads has no directory of them")
	first, second := s.begin(&storage.PutRequest{Key: "a/1"}), s.begin(&storage.PutRequest{Key: "a/2"})
	s.begin(&storage.PutRequest{Key: "b"})
	require.NoError(t, os.MkdirAll(filepath.Join(s.root, uploadPath(randomName())), 0o700)) // not begun wholly, or ended in part

	other, err := newDriver(s.root, Config{NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = other.Close() })
	var found []string
	r := &storage.ListUploadsRequest{Prefix: "a/", Limit: 1}
	for {
		page, err := other.ListUploads(t.Context(), r)
		require.NoError(t, err)
		for _, u := range page.Uploads {
			require.False(t, u.Begun.IsZero())
			found = append(found, u.Upload)
		}
		if r.Token = page.Token; r.Token == "" {
			break
		}
	}
	require.ElementsMatch(t, []string{first, second}, found)
}
