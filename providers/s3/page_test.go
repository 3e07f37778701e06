package s3

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// pageOf is an answer with so many keys, as S3 writes it.
func pageOf(keys int, prefix string) string {
	var page strings.Builder
	page.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>`)
	for i := range keys {
		fmt.Fprintf(&page, `<Contents><Key>%s%08d</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;%032x&quot;</ETag>`+
			`<ChecksumAlgorithm>CRC32C</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>%d</Size><StorageClass>STANDARD</StorageClass></Contents>`, prefix, i, i, i)
	}
	page.WriteString(`</ListBucketResult>`)
	return page.String()
}

func TestPageIsToldAsTheSDKTells(t *testing.T) {
	const open = `<ListBucketResult><Contents>`
	for _, row := range []struct {
		name   string
		reply  reply
		code   storage.Code
		again  bool
		status int
	}{
		{"an error", failing(403, "AccessDenied", "No"), storage.PermissionDenied, false, 403},
		{"an error without a body", reply{Status: 503}, storage.Unavailable, true, 503},
		{"an error that begins as a success", reply{Body: `<?xml version="1.0"?> <Error><Code>SlowDown</Code></Error>`}, storage.RateLimited, true, 500},
		{"an error that nobody knows, begun as a success", reply{Body: `<Error><Code>Strange</Code></Error>`}, storage.Unavailable, true, 500},
		{"a redirection", reply{Status: 307}, storage.InvalidArgument, false, 307},
		{"nothing", reply{}, storage.Unavailable, true, 200},
		{"no content", reply{Status: 204}, storage.Unavailable, true, 204},
		{"a page of a proxy's", reply{Body: `<html></html>`}, storage.Unavailable, true, 200},
		{"a page that breaks off and says so", reply{Header: map[string]string{"Content-Length": "500"}, Body: open}, storage.Unavailable, true, 200},
		{"a page that breaks off", reply{Body: open}, storage.Unavailable, true, 200},
		{"a page that breaks off in its first tag", reply{Body: open[:5]}, storage.Unavailable, true, 200},
		{"a page that is not well-formed", reply{Body: open + `</ListBucketResult>`}, storage.Unavailable, true, 200},
		{"a control character", reply{Body: open + "<Key>\x01</Key></Contents></ListBucketResult>"}, storage.Unavailable, true, 200},
		{"a connection that is lost", reply{Cut: true}, storage.Unavailable, true, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := newStandIn(t, row.reply).on(t, "aws")
			for name, list := range map[string]func() error{
				"List":         func() error { _, err := d.List(t.Context(), &storage.ListRequest{Limit: 3}); return err },
				"ListVersions": func() error { _, err := d.ListVersions(t.Context(), &storage.ListRequest{Limit: 3}); return err },
			} {
				var e *storage.Error
				require.ErrorAs(t, list(), &e, name)
				require.Equal(t, row.code, e.Code, "%s: %v", name, e)
				require.Equal(t, row.again, e.Retryable, name)
				require.Equal(t, row.status, e.Status, name)
			}
		})
	}
}

func TestPageThatCannotBeReadIsOfTheSDKsKind(t *testing.T) {
	w := newStandIn(t, reply{Header: map[string]string{"X-Amz-Request-Id": "R1"}, Body: `<ListBucketResult><Contents><Key>secret-name</Contents>`})
	_, err := w.on(t, "aws").List(t.Context(), &storage.ListRequest{Limit: 3})
	var unreadable *smithy.DeserializationError
	require.ErrorAs(t, err, &unreadable)
	require.NotContains(t, err.Error(), "secret-name")
	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "R1", e.RequestID)
}

func TestPageLargerThanAnyIsRefused(t *testing.T) {
	for _, row := range []struct{ name, body string }{
		{"in bytes", `<ListBucketResult><X>` + strings.Repeat(" ", maxPageBytes) + `</X></ListBucketResult>`},
		{"in entries", `<ListBucketResult>` + strings.Repeat(`<Contents/>`, maxPageEntries+1) + `</ListBucketResult>`},
		{"in prefixes", `<ListBucketResult>` + strings.Repeat(`<CommonPrefixes/>`, maxPageEntries+1) + `</ListBucketResult>`},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := newStandIn(t, reply{Body: row.body}).on(t, "aws").List(t.Context(), &storage.ListRequest{Limit: 3})
			require.ErrorIs(t, err, storage.Internal)
			var e *storage.Error
			require.True(t, errors.As(err, &e) && !e.Retryable, "it would be as large the next time")
		})
	}
}

func TestPageOfTheLongestKeysIsRead(t *testing.T) {
	// Each byte escaped, as a server may, that knows no shorter way.
	key := strings.Repeat("%C3%A9", 508)
	page := pageOf(1000, key)
	require.Less(t, len(page), maxPageBytes)
	d := newStandIn(t, reply{Body: page}).on(t, "aws")
	got, err := d.List(t.Context(), &storage.ListRequest{Limit: 1000})
	require.NoError(t, err)
	require.Len(t, got.Entries, 1000)
	require.Equal(t, strings.Repeat("é", 508)+"00000999", got.Entries[999].Key)
}

func TestPageTakesTheMemoryThatItIsGiven(t *testing.T) {
	spare := make([]storage.ListEntry, 3, 10)
	spare[0] = storage.ListEntry{Key: "z", Size: 9, ETag: "z", Revision: "z", IsPrefix: true}
	w := newStandIn(t, reply{Body: `<ListBucketResult><Contents><Key>a</Key></Contents><Contents><Key>b</Key></Contents></ListBucketResult>`})
	page, err := w.on(t, "aws").List(t.Context(), &storage.ListRequest{Limit: 3, Entries: spare[:0]})
	require.NoError(t, err)
	require.Equal(t, []storage.ListEntry{{Key: "a"}, {Key: "b"}}, page.Entries, "nothing is left of the page before")
	require.Same(t, &spare[0], &page.Entries[0])
}

func TestPageKeepsNothingOfItsAnswer(t *testing.T) {
	answer := []byte(wholePage)
	page := &storage.Page{}
	require.NoError(t, readPage(answer, page, nil))
	want := listed(t, wholePage)
	for i := range answer { // the next page is read into the same memory
		answer[i] = 'x'
	}
	require.Equal(t, want, page)
}

// What a listing costs is goal P12's: the SDK's decoder makes 55 allocations a
// key, and 2,200 bytes.
func TestPageCostsNoAllocationAKey(t *testing.T) {
	const keys = 1000
	for _, row := range []struct {
		name, answer string
		most         float64
	}{
		{"keys as they are", pageOf(keys, "photos/2026/a-name-of-common-length-"), 60},
		{"keys that are escaped", pageOf(keys, "photos/2026/a+name+of+common+length+"), 90},
		{"an answer that tells at its end how keys are escaped", strings.Replace(strings.Replace(pageOf(keys, "a+"), "<EncodingType>url</EncodingType>", "", 1), "</ListBucketResult>", "<EncodingType>url</EncodingType></ListBucketResult>", 1), 90},
	} {
		t.Run(row.name, func(t *testing.T) {
			answer, page := []byte(row.answer), &storage.Page{Entries: make([]storage.ListEntry, 0, keys)}
			allocations := testing.AllocsPerRun(10, func() {
				if err := readPage(answer, page, page.Entries); err != nil {
					t.Error(err)
				}
			})
			require.Len(t, page.Entries, keys)
			require.LessOrEqual(t, allocations, row.most)
		})
	}
}
