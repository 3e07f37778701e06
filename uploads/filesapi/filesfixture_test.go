package filesapi_test

import (
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
)

// listIDs returns the IDs of all client files that match f. It reads pages with this size.
func listIDs(t *testing.T, s *filesapi.Store, f uploads.Filter, size int) []string {
	t.Helper()
	var ids []string
	for startAfter := ""; ; {
		page, err := s.List(t.Context(), f, startAfter, size)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Records), size)
		for _, r := range page.Records {
			ids = append(ids, r.ID)
		}
		startAfter = page.Token
		if startAfter == "" {
			return ids
		}
	}
}

// sendLastPart sends the last of five parts in n calls at once, and returns their
// records.
func sendLastPart(t *testing.T, s *filesapi.Store, n int) []*filesapi.Record {
	t.Helper()
	for number := 1; number < 5; number++ {
		record, err := s.UploadPart(t.Context(), strings.NewReader(text(5000, uint64(number))), part(number).of(5))
		require.NoError(t, err)
		require.Nil(t, record)
	}

	records := make([]*filesapi.Record, n)
	errs := make([]error, n)
	start := make(chan struct{})
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			<-start
			records[i], errs[i] = s.UploadPart(t.Context(), strings.NewReader(text(5000, 5)), part(5).of(5))
		})
	}
	close(start)
	group.Wait()
	for _, err := range errs {
		if err != nil { // it began after the file was made
			requireRefused(t, err, "token", uploads.Completed, storage.PreconditionFailed)
		}
	}
	return records
}

// fileOfFiveParts returns the bytes of the file that sendLastPart makes.
func fileOfFiveParts() string {
	want := ""
	for number := 1; number <= 5; number++ {
		want += text(5000, uint64(number))
	}
	return want
}

// fileOptions returns options for a file of user-1.
func fileOptions(name string) filesapi.UploadOptions {
	return filesapi.UploadOptions{OriginalFileName: name, UploadedBy: "user-1"}
}

// partOptions returns options for one part of a file that is called note.txt.
func partOptions(token string, count, number int) filesapi.PartOptions {
	return filesapi.PartOptions{Token: token, Count: count, Part: number, UploadOptions: fileOptions("note.txt")}
}

// part is the number of a part.
type part int

// of returns the options of this part of a file that has count parts. It uses the token of most
// tests.
func (number part) of(count int) filesapi.PartOptions { return partOptions(token, count, int(number)) }

// readContent returns the bytes of a client file.
func readContent(t *testing.T, s *filesapi.Store, id string) string {
	t.Helper()
	r, _, err := s.Download(t.Context(), id)
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return string(b)
}

// requireRefused checks that an error has this field and these two codes.
func requireRefused(t *testing.T, err error, field string, code uploads.Code, beneath storage.Code) *uploads.Error {
	t.Helper()
	var uploadErr *uploads.Error
	require.ErrorAs(t, err, &uploadErr)
	require.Equal(t, field, uploadErr.Field, "field of: %v", err)
	require.Equal(t, code, uploadErr.Code, "code of: %v", err)
	require.ErrorIs(t, err, beneath)
	require.NotEmpty(t, uploadErr.Message)
	return uploadErr
}

// text returns n letters, different for each seed.
func text(n int, seed uint64) string {
	letters := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range letters {
		letters[i] = byte('a' + r.IntN(26))
	}
	return string(letters)
}
