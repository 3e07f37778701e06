// Package filestest has what the tests of package files and of its suite, package
// recordstest, share.
package filestest

import (
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/files"
	"github.com/omnibucket/storage/uploads"
)

// Token names the upload in parts of most tests.
const Token = "token-1234"

// Listed returns the IDs of all client files that match f, read in pages of size.
func Listed(t *testing.T, s *files.Store, f files.ListFilter, size int) []string {
	t.Helper()
	var ids []string
	for token := ""; ; {
		page, err := s.List(t.Context(), f, token, size)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Records), size)
		for _, r := range page.Records {
			ids = append(ids, r.ID)
		}
		if token = page.Token; token == "" {
			return ids
		}
	}
}

// SendLastPart sends the last of five parts in n calls at once, and returns their
// records.
func SendLastPart(t *testing.T, s *files.Store, n int) []*files.Record {
	t.Helper()
	for number := 1; number < 5; number++ {
		r, err := s.UploadPart(t.Context(), strings.NewReader(Text(5000, uint64(number))), Part(Token, 5, number))
		require.NoError(t, err)
		require.Nil(t, r)
	}
	records, errs := make([]*files.Record, n), make([]error, n)
	start := make(chan struct{})
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			<-start
			records[i], errs[i] = s.UploadPart(t.Context(), strings.NewReader(Text(5000, 5)), Part(Token, 5, 5))
		})
	}
	close(start)
	group.Wait()
	for _, err := range errs {
		if err != nil { // it began after the file was made
			Refused(t, err, "token", uploads.Completed, storage.PreconditionFailed)
		}
	}
	return records
}

// FileOfFiveParts returns the bytes of the file that SendLastPart makes.
func FileOfFiveParts() string {
	want := ""
	for number := 1; number <= 5; number++ {
		want += Text(5000, uint64(number))
	}
	return want
}

// Named returns options for a file of user-1.
func Named(name string) files.UploadOptions {
	return files.UploadOptions{OriginalFileName: name, UploadedBy: "user-1"}
}

// Part returns options for one part of a file that is called note.txt.
func Part(token string, count, number int) files.PartOptions {
	return files.PartOptions{Token: token, Count: count, Part: number, UploadOptions: Named("note.txt")}
}

// Content returns the bytes of a client file.
func Content(t *testing.T, s *files.Store, id string) string {
	t.Helper()
	r, _, err := s.Download(t.Context(), id)
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return string(b)
}

// Refused checks the field, the code and the storage.Code of an error.
func Refused(t *testing.T, err error, field string, code uploads.Code, beneath storage.Code) *uploads.Error {
	t.Helper()
	var e *uploads.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, field, e.Field, "field of: %v", err)
	require.Equal(t, code, e.Code, "code of: %v", err)
	require.ErrorIs(t, err, beneath)
	require.NotEmpty(t, e.Message)
	return e
}

// Text returns n letters, different for each seed.
func Text(n int, seed uint64) string {
	letters := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range letters {
		letters[i] = byte('a' + r.IntN(26))
	}
	return string(letters)
}
