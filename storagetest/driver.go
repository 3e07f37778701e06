package storagetest

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A driverCase is a Case that calls the driver directly, as the engine does.
type driverCase struct {
	Case
	run func(t *T, d driver.Driver)
}

var driverCases = []driverCase{
	{
		Case{
			Name:        "a driver describes itself",
			Rule:        "K4",
			Explanation: "Describe returns a provider, an order, and limits that do not contradict each other",
		},
		func(t *T, d driver.Driver) {
			desc := d.Describe()
			require.NotEmpty(t, desc.Provider)
			require.NotContains(t, desc.Provider, ":", "it tags revisions")
			require.False(t, desc.FolderOrder && desc.Features&storage.OrderedListing != 0)
			require.GreaterOrEqual(t, desc.MaxPutSize, int64(0))
			require.GreaterOrEqual(t, desc.MaxParts, 0)
			if desc.MaxPartSize > 0 {
				require.LessOrEqual(t, desc.MinPartSize, desc.MaxPartSize)
			}
			require.NoError(t, d.Close())
		},
	},
	{
		Case{
			Name:        "a driver's Put reads the body to its end",
			Rule:        "W1",
			Explanation: "Put stores the body with its properties and returns a revision, tagged if the driver says so",
		},
		func(t *T, d driver.Driver) {
			content := strings.NewReader("content")
			attrs, err := d.Put(t.Context(), putRequest("a", content, 7))
			require.NoError(t, err)
			require.Zero(t, content.Len())
			require.NotEmpty(t, attrs.Revision, "Put must return a Revision")
			desc := d.Describe()
			require.Equal(
				t, desc.TaggedRevisions, strings.HasPrefix(attrs.Revision, desc.Provider+":"),
				"either the engine or the driver tags it",
			)
			require.NotEmpty(t, attrs.ETag, "Put must return an ETag")
			got, data := getWhole(t, d, &driver.GetRequest{Key: "a", Length: -1})
			require.Equal(t, "content", data)
			require.Equal(t, int64(7), got.Size)
			if t.has(storage.ContentProperties) {
				require.Equal(t, "text/x-test", got.ContentType)
			}
			require.Equal(t, attrs.Revision, got.Revision, "Get must return the Revision that Put returned")
			head, err := d.Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
			require.NoError(t, err)
			require.Equal(t, got.Revision, head.Revision, "Head must return the Revision that Get returned")
			require.Equal(t, got.Size, head.Size, "Head must return the Size that Get returned")
			require.True(t, head.Modified.Location() == time.UTC, "Modified must be in UTC")
			require.NoError(t, d.Close())
		},
	},
	{
		Case{
			Name:        "a driver stores nothing if the body fails",
			Rule:        "W11",
			Explanation: "Put returns the body's own error, possibly wrapped",
		},
		func(t *T, d driver.Driver) {
			r := putRequest("a", &seekableFailure{Reader: *strings.NewReader("head")}, 100)
			_, err := d.Put(t.Context(), r)
			require.ErrorIs(t, err, errBoom)
			_, err = d.Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
			require.ErrorIs(t, err, storage.ObjectNotFound)
			require.NoError(t, d.Close())
		},
	},
	{
		Case{
			Name:        "a driver's missing object",
			Rule:        "E2",
			Explanation: "Get and Head return ObjectNotFound; Delete, and AbortParts of an unknown upload, return nil",
		},
		func(t *T, d driver.Driver) {
			_, _, err := d.Get(t.Context(), &driver.GetRequest{Key: "missing", Length: -1})
			require.ErrorIs(t, err, storage.ObjectNotFound)
			_, err = d.Head(t.Context(), &driver.GetRequest{Key: "missing", Length: -1})
			require.ErrorIs(t, err, storage.ObjectNotFound)
			require.NoError(t, d.Delete(t.Context(), &driver.DeleteRequest{Key: "missing"}))
			require.NoError(t, d.Close())
		},
	},
	{
		Case{
			Name:        "a driver shows what was written last",
			Rule:        "W1",
			Explanation: "after each Put and Delete, Head, Get and List show the object as it is now: nothing comes from a cache",
		},
		func(t *T, d driver.Driver) {
			for _, content := range []string{"", "one", "the second", ""} {
				if content == "" {
					require.NoError(t, d.Delete(t.Context(), &driver.DeleteRequest{Key: "a"}))
				} else {
					_, err := d.Put(t.Context(), putRequest("a", strings.NewReader(content), int64(len(content))))
					require.NoError(t, err)
				}
				requireShown(t, d, content)
			}
			require.NoError(t, d.Close())
		},
	},
	{
		Case{
			Name:        "a driver reads ranges",
			Rule:        "R3",
			Explanation: "Get takes an offset, a length or a suffix, and returns the attributes of the whole object",
		},
		func(t *T, d driver.Driver) {
			_, err := d.Put(t.Context(), putRequest("a", strings.NewReader("0123456789"), 10))
			require.NoError(t, err)
			for want, r := range map[string]driver.GetRequest{
				"0123456789": {Length: -1},
				"3456":       {Offset: 3, Length: 4},
				"89":         {Offset: 8, Length: 100},
				"56789":      {Offset: 5, Length: -1},
				"789":        {Suffix: 3, Length: -1},
			} {
				r.Key = "a"
				attrs, got := getWhole(t, d, &r)
				require.Equal(t, want, got, "%+v", r)
				require.Equal(t, int64(10), attrs.Size, "%+v", r)
			}
			require.NoError(t, d.Close())
		},
	},
	{
		Case{
			Name:        "a driver lists pages in order",
			Rule:        "L1",
			Needs:       storage.OrderedListing,
			Explanation: "a token continues after its page, and an empty token ends the listing",
		},
		func(t *T, d driver.Driver) {
			want := []string{"a", "b/c", "b/d", "e"}
			for _, key := range want {
				_, err := d.Put(t.Context(), putRequest(key, strings.NewReader(""), 0))
				require.NoError(t, err)
			}
			delimiter := ""
			// With a driver that declares FolderOrder, the engine uses only the delimiter "/", and no
			// StartAfter.
			if t.desc.FolderOrder {
				delimiter = "/"
				want = []string{"a", "b/", "e"}
			}
			var got []string
			for token := ""; ; {
				page, err := d.List(t.Context(), &driver.ListRequest{Limit: 1, Token: token, Delimiter: delimiter})
				require.NoError(t, err)
				require.LessOrEqual(t, len(page.Entries), 1, "a page has at most Limit entries")
				for _, entry := range page.Entries {
					got = append(got, entry.Key)
				}
				require.LessOrEqual(t, len(got), len(want), "a token must continue after its page: %q", got)
				token = page.Token
				if token == "" {
					break
				}
			}
			require.Equal(t, want, got, "the keys of all pages")
			if t.desc.FolderOrder {
				require.NoError(t, d.Close())
				return
			}
			page, err := d.List(t.Context(), &driver.ListRequest{Limit: 10, StartAfter: "a", Delimiter: "/"})
			require.NoError(t, err)
			require.Len(t, page.Entries, 2, "StartAfter and Delimiter leave b/ and e")
			require.Equal(t, storage.ListEntry{Key: "b/", IsPrefix: true}, page.Entries[0],
				"a common prefix has no attributes")
			require.NoError(t, d.Close())
		},
	},
	{
		Case{
			Name:        "a driver's parts are invisible until they are completed",
			Rule:        "W1",
			Needs:       storage.MultipartUploads,
			Explanation: "a part sent again replaces the earlier one, an abort leaves nothing, and a second abort returns nil",
		},
		driverParts,
	},
	{
		Case{
			Name:        "a driver's batch returns an error for each request",
			Rule:        "D2",
			Explanation: "DeleteBatch returns one result for each request, and nil for a missing object",
		},
		func(t *T, d driver.Driver) {
			if d.Describe().MaxBatch == 0 {
				require.NoError(t, d.Close())
				return
			}
			_, err := d.Put(t.Context(), putRequest("a", strings.NewReader(""), 0))
			require.NoError(t, err)
			errs := d.DeleteBatch(t.Context(), []driver.DeleteRequest{{Key: "a"}, {Key: "missing"}})
			require.Equal(t, []error{nil, nil}, errs)
			_, err = d.Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
			require.ErrorIs(t, err, storage.ObjectNotFound)
			require.NoError(t, d.Close())
		},
	},
	{
		Case{
			Name:        "a driver does not keep requests",
			Rule:        "W4",
			Needs:       storage.Metadata,
			Explanation: "the engine may change a request after the call, and a caller may change Attrs; neither changes the stored object",
		},
		func(t *T, d driver.Driver) {
			r := putRequest("a", strings.NewReader("x"), 1)
			r.Metadata = map[string]string{"k": "v"}
			_, err := d.Put(t.Context(), r)
			require.NoError(t, err)
			r.Metadata = map[string]string{"k": "changed"} // the driver must have copied the map
			head, err := d.Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
			require.NoError(t, err)
			require.Equal(t, "v", head.Metadata["k"])
			require.NoError(t, d.Close())
		},
	},
}

// requireShown requires that Head, Get and List show the object "a" with this content, or no object
// if content is "".
func requireShown(t *T, d driver.Driver, content string) {
	t.Helper()
	head, err := d.Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
	page, listErr := d.List(t.Context(), &driver.ListRequest{Limit: 10, Delimiter: "/"})
	require.NoError(t, listErr)
	if content == "" {
		require.ErrorIs(t, err, storage.ObjectNotFound, "Head of an object that is not there")
		require.Empty(t, page.Entries, "List of an empty bucket")
		return
	}

	require.NoError(t, err)
	got, data := getWhole(t, d, &driver.GetRequest{Key: "a", Length: -1})
	require.Equal(t, content, data, "Get must return the content of the last Put")
	require.Equal(t, int64(len(content)), head.Size, "Head must return the size of the last Put")
	require.Equal(t, got.Revision, head.Revision, "Head and Get must return the same Revision")
	require.Len(t, page.Entries, 1)
	require.Equal(t, head.Size, page.Entries[0].Size, "List must show the size of the last Put")
	require.Equal(t, head.Revision, page.Entries[0].Revision, "List and Head must return the same Revision")
}

// putRequest returns a request that stores content under key. Only a *strings.Reader gets its
// checksum, because any other content fails before the checksum matters.
func putRequest(key string, content io.ReadSeeker, size int64) *driver.PutRequest {
	var crc uint32
	if text, ok := content.(*strings.Reader); ok {
		data := make([]byte, text.Len())
		_, _ = text.ReadAt(data, 0) // a strings.Reader does not fail
		crc = sum(data)
	}
	return &driver.PutRequest{
		Key:        key,
		Body:       content,
		Size:       size,
		CRC32C:     storage.CRC32C{Sum: crc, Known: true},
		Properties: storage.Properties{ContentType: "text/x-test"},
	}
}

// getWhole calls Get, and returns the attributes and the whole body.
func getWhole(t *T, d driver.Driver, r *driver.GetRequest) (*storage.Attrs, string) {
	t.Helper()
	attrs, body, err := d.Get(t.Context(), r)
	require.NoError(t, err)
	var data bytes.Buffer
	_, err = io.Copy(&data, body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	return attrs, data.String()
}

// A seekableFailure is a body that can seek. It returns its text and then an error instead of
// io.EOF.
type seekableFailure struct{ strings.Reader }

// Read fails at the end of the text.
func (f *seekableFailure) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = errBoom
	}
	return n, err
}

// A partsCall makes the calls of one multipart upload in the order in which the engine makes them.
type partsCall struct {
	t      *T
	d      driver.Driver
	put    *driver.PutRequest
	upload string
	parts  []driver.Part
}

// beginParts begins a multipart upload of text to "a".
func beginParts(t *T, d driver.Driver, text string) *partsCall {
	t.Helper()
	req := putRequest("a", strings.NewReader(text), int64(len(text)))
	req.Body = nil
	upload, err := d.BeginParts(t.Context(), req)
	require.NoError(t, err)
	require.NotEmpty(t, upload)
	return &partsCall{t: t, d: d, put: req, upload: upload}
}

// request returns a request to upload text as the part with this number, which begins at offset in the
// object.
func (p *partsCall) request(number int, offset int64, text string) *driver.PartRequest {
	return &driver.PartRequest{
		Key:    "a",
		Upload: p.upload,
		Number: number,
		Offset: offset,
		Body:   strings.NewReader(text),
		Size:   int64(len(text)),
		CRC32C: storage.CRC32C{Sum: sum([]byte(text)), Known: true},
	}
}

// send uploads a part, which replaces an earlier one with the same number.
func (p *partsCall) send(r *driver.PartRequest) {
	p.t.Helper()
	part, err := p.d.PutPart(p.t.Context(), r)
	require.NoError(p.t, err)
	part.Number = r.Number
	part.Size = r.Size
	part.CRC32C = r.CRC32C
	p.parts = slices.DeleteFunc(p.parts, func(old driver.Part) bool { return old.Number == r.Number })
	p.parts = append(p.parts, part)
}

// complete completes the upload. last is the last part if the driver takes parts only in sequence,
// and otherwise nil.
func (p *partsCall) complete(last *driver.PartRequest) {
	p.t.Helper()
	slices.SortFunc(p.parts, func(a, b driver.Part) int { return a.Number - b.Number })
	attrs, err := p.d.CompleteParts(p.t.Context(), &driver.CompleteRequest{
		Put:    p.put,
		Upload: p.upload,
		Parts:  p.parts,
		Last:   last,
	})
	require.NoError(p.t, err)
	require.NotEmpty(p.t, attrs.Revision)
}

// sendTwice sends the first of two parts, and then sends it again, which replaces it. It also sends the second
// part, and returns nil. If the driver takes parts only in sequence, it does not send the second part, and
// returns its request, which the caller must send with the completion.
func (p *partsCall) sendTwice(first, second string) (last *driver.PartRequest) {
	p.t.Helper()
	last = p.request(2, p.t.unit, second)
	if p.t.has(driver.SequentialParts) {
		p.send(p.request(1, 0, first))
		p.send(p.request(1, 0, first))
		return last
	}

	replaced := body(p.t.unit, 9) // differs from first, by its seed
	p.send(last)
	p.send(p.request(1, 0, replaced))
	p.send(p.request(1, 0, first))
	return nil
}

// driverParts checks that the object of an upload in parts appears only when the upload is
// completed, and not at all if it is aborted.
func driverParts(t *T, d driver.Driver) {
	first := body(t.unit, 1) // t.unit is the smallest size of a part
	second := "the end"
	p := beginParts(t, d, first+second)
	last := p.sendTwice(first, second)

	// Nothing is visible before the completion.
	_, err := d.Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
	require.ErrorIs(t, err, storage.ObjectNotFound)
	page, err := d.List(t.Context(), &driver.ListRequest{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, page.Entries)

	// The completion makes the object appear.
	p.complete(last)
	_, data := getWhole(t, d, &driver.GetRequest{Key: "a", Length: -1})
	requireSame(t, first+second, data)

	// Aborting another upload, also twice, keeps the object.
	p = beginParts(t, d, first)
	p.send(p.request(1, 0, first))
	require.NoError(t, d.AbortParts(t.Context(), "a", p.upload))
	require.NoError(t, d.AbortParts(t.Context(), "a", p.upload))
	_, data = getWhole(t, d, &driver.GetRequest{Key: "a", Length: -1})
	requireSame(t, first+second, data)
	require.NoError(t, d.Close())
}
