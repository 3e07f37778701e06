package azure

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// sourceOf returns a source in the same account, as the engine passes it.
func sourceOf(d *objectDriver, key string) driver.ObjectRef {
	ref := d.Locate(key)
	ref.Revision = etag
	return ref
}

var plainText = storage.Properties{ContentType: "text/plain"}

func TestCopyTakesOneRequest(t *testing.T) {
	s := newScript(t, anObject("hello", "X-Ms-Meta-Omnibucket_crc32c", "9a71bb4c-5"), accepted)
	d := s.driver(t)

	attrs, err := d.Copy(t.Context(), &driver.CopyRequest{
		Source:     sourceOf(d, "from ü"),
		Key:        "to",
		Properties: plainText,
		Condition:  storage.Condition{Absent: true},
	})
	require.NoError(t, err)
	require.Equal(t, etag, attrs.Revision)
	require.Equal(t, uint32(0x9a71bb4c), attrs.CRC32C.Sum)
	require.Equal(t, []string{"HEAD /photos/from%20%C3%BC", "PUT /photos/to"}, s.server.Lines())
	require.Equal(t, etag, s.server.Requests()[0].Header.Get("If-Match"))

	got := s.server.Last(t).Header
	require.Equal(t, "true", got.Get("X-Ms-Requires-Sync"), "Copy Blob From URL, and not an asynchronous copy")
	require.Equal(t, etag, got.Get("X-Ms-Source-If-Match"))
	require.Equal(t, "*", got.Get("If-None-Match"))
	require.Regexp(t, `/photos/from%20%C3%BC\?.*sp=r&.*sig=`, got.Get("X-Ms-Copy-Source"), "with a right of its own to read")

	for name := range got {
		require.False(t, strings.HasPrefix(name, "X-Ms-Meta-"), "the source's are copied: %s", name)
	}
}

func TestCopyReplacesMetadata(t *testing.T) {
	tests := map[string]struct {
		metadata map[string]string
		source   said
		want     map[string]string
	}{
		"by other":             {map[string]string{"a-b": "c"}, anObject("hello", "X-Ms-Meta-Omnibucket_crc32c", "9a71bb4c-5"), map[string]string{"A_x002d_b": "c", "Omnibucket_crc32c": "9a71bb4c-5"}},
		"by none":              {nil, anObject("hello", "X-Ms-Meta-K", "v"), map[string]string{"Omnibucket_plain": "true"}},
		"by a checksum at all": {nil, anObject("hello", "X-Ms-Meta-Omnibucket_crc32c", "9a71bb4c-5"), map[string]string{"Omnibucket_crc32c": "9a71bb4c-5"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, tt.source, accepted)
			d := s.driver(t)
			p := plainText
			p.Metadata = tt.metadata
			p.StorageClass = "Cool"
			_, err := d.Copy(t.Context(), &driver.CopyRequest{Source: sourceOf(d, "a"), Key: "b", Properties: p, Replace: true})
			require.NoError(t, err)
			got := map[string]string{}
			for name, values := range s.server.Last(t).Header {
				if key, is := strings.CutPrefix(name, "X-Ms-Meta-"); is {
					got[key] = values[0]
				}
			}

			require.Equal(t, tt.want, got, "a copy that names none has the source's")
			require.Equal(t, "Cool", s.server.Last(t).Header.Get("X-Ms-Access-Tier"))
		})
	}
}

func TestCopyInBlocksRequests(t *testing.T) {
	tests := map[string]struct {
		limit, block int64
		properties   storage.Properties
		ranges       []string
	}{
		"because it says another type":    {limit: 0, properties: storage.Properties{ContentType: "text/html"}, ranges: []string{"bytes=0-4"}},
		"because the source is too large": {limit: 4, block: 2, properties: plainText, ranges: []string{"bytes=0-1", "bytes=2-3", "bytes=4-4"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, anObject("hello", "X-Ms-Meta-Omnibucket_crc32c", "9a71bb4c-5"), created)
			d := s.driver(t)
			d.copier.limit = tt.limit
			d.copier.block = tt.block
			tt.properties.Metadata = map[string]string{"k": "v"}

			attrs, err := d.Copy(t.Context(), &driver.CopyRequest{
				Source:     sourceOf(d, "a"),
				Key:        "b",
				Properties: tt.properties,
				Replace:    true,
				Condition:  storage.Condition{Revision: `"old"`},
			})
			require.NoError(t, err)
			require.Equal(t, uint32(0x9a71bb4c), attrs.CRC32C.Sum)

			all := s.server.Requests()
			var ranges []string
			for _, block := range all[1 : len(all)-1] {
				require.Contains(t, block.RawQuery, "comp=block")
				require.Equal(t, etag, block.Header.Get("X-Ms-Source-If-Match"))
				require.Contains(t, block.Header.Get("X-Ms-Copy-Source"), "sig=")
				require.Empty(t, block.Header.Get("If-Match"))
				ranges = append(ranges, block.Header.Get("X-Ms-Source-Range"))
			}

			slices.Sort(ranges)
			require.Equal(t, tt.ranges, ranges)
			commit := s.server.Last(t)
			require.Equal(t, "PUT /photos/b?comp=blocklist", commit.Line())
			require.Equal(t, len(tt.ranges), strings.Count(commit.Body, "<Latest>"))
			require.Equal(t, tt.properties.ContentType, commit.Header.Get("X-Ms-Blob-Content-Type"))
			require.Equal(t, "v", commit.Header.Get("X-Ms-Meta-K"))
			require.Equal(t, "9a71bb4c-5", commit.Header.Get("X-Ms-Meta-Omnibucket_crc32c"))
			require.Equal(t, `"old"`, commit.Header.Get("If-Match"))
		})
	}
}

func TestCopyErrors(t *testing.T) {
	absent := storage.Condition{Absent: true}
	object := anObject("hello")
	refusal := refusing(404, "BlobNotFound")
	other := refusing(412, "ConditionNotMet")

	tests := map[string]struct {
		answers   []said
		condition storage.Condition
		want      storage.Code
	}{
		"a missing source":                         {[]said{refusal}, absent, storage.Changed},
		"a source that is another":                 {[]said{other}, absent, storage.Changed},
		"a source that is another by then":         {[]said{object, refusing(412, "SourceConditionNotMet")}, absent, storage.Changed},
		"a source that was removed meanwhile":      {[]said{object, refusing(404, "CannotVerifyCopySource"), refusal}, absent, storage.Changed},
		"a source that the service may not read":   {[]said{object, refusing(403, "CannotVerifyCopySource"), object}, absent, storage.Unsupported},
		"a source that the service does not see":   {[]said{object, refusing(404, "CannotVerifyCopySource"), object}, absent, storage.Unsupported},
		"a source on a busy server":                {[]said{object, refusing(500, "CannotVerifyCopySource"), object}, absent, storage.Unavailable},
		"a source of another kind":                 {[]said{object, refusing(409, "InvalidBlobType")}, storage.Condition{}, storage.Unsupported},
		"a destination that exists":                {[]said{object, refusing(409, "BlobAlreadyExists")}, absent, storage.PreconditionFailed},
		"a destination that is another":            {[]said{object, refusing(412, "TargetConditionNotMet")}, absent, storage.PreconditionFailed},
		"one of both, and the source is as it was": {[]said{object, other, object}, absent, storage.PreconditionFailed},
		"one of both, and the source is another":   {[]said{object, other, other}, absent, storage.Changed},
		"no container":                             {[]said{object, refusing(404, "ContainerNotFound")}, absent, storage.BucketNotFound},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, tt.answers...)
			d := s.driver(t)
			_, err := d.Copy(t.Context(), &driver.CopyRequest{Source: sourceOf(d, "a"), Key: "b", Properties: plainText, Condition: tt.condition})

			var e *storage.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.want, e.Code)
			require.Len(t, s.server.Requests(), len(tt.answers))
			require.NotContains(t, err.Error(), "sig")
		})
	}
}

// A failed range is retried, and stops the others if it fails for good.
func TestCopyInBlocksRangeFails(t *testing.T) {
	s := newScript(t, anObject("hello"), refusing(503, "ServerBusy"), created)
	d := s.driver(t)
	d.copier.limit = 1
	d.copier.block = 100
	_, err := d.Copy(t.Context(), &driver.CopyRequest{Source: sourceOf(d, "a"), Key: "b", Properties: plainText})
	require.NoError(t, err)
	require.Len(t, s.server.Requests(), 4)

	s = newScript(t, anObject("hello"), refusing(412, "SourceConditionNotMet"))
	d = s.driver(t)
	d.copier.limit = 1
	d.copier.block = 1
	_, err = d.Copy(t.Context(), &driver.CopyRequest{Source: sourceOf(d, "a"), Key: "b", Properties: plainText})
	require.ErrorIs(t, err, storage.Changed)
	for _, line := range s.server.Lines() {
		require.NotContains(t, line, "blocklist")
	}
}

func TestComposeRequests(t *testing.T) {
	s := newScript(t, anObject("hello"), anObject(""), anObject("hello"), created)
	d := s.driver(t)
	_, err := d.Compose(t.Context(), &driver.ComposeRequest{
		Key:        "a",
		Sources:    []driver.ObjectRef{sourceOf(d, "a"), sourceOf(d, "empty"), sourceOf(d, "b")},
		Properties: plainText,
		Condition:  storage.Condition{Absent: true},
	})
	require.NoError(t, err)

	all := s.server.Requests()
	require.Len(t, all, 3+2+1, "nothing is copied of an empty source")
	require.Equal(t, 2, strings.Count(s.server.Last(t).Body, "<Latest>"))
	require.Equal(t, "*", s.server.Last(t).Header.Get("If-None-Match"))

	var sources []string
	for _, block := range all[3:5] {
		path, _, _ := strings.Cut(block.Header.Get("X-Ms-Copy-Source"), "?")
		sources = append(sources, path[strings.LastIndex(path, "/"):])
	}
	slices.Sort(sources)
	require.Equal(t, []string{"/a", "/b"}, sources)
}

// Append reuses the blocks of an object only if they are the whole object. Bytes added with the Data Lake API are
// in no block. https://learn.microsoft.com/azure/storage/blobs/data-lake-storage-known-issues.
func TestAppendUsesCommittedBlocks(t *testing.T) {
	listed := func(size string) said {
		return said{Body: `<BlockList><CommittedBlocks><Block><Name>` + strings.Repeat("QUFB", 6) + `</Name><Size>` + size + `</Size></Block></CommittedBlocks></BlockList>`}
	}
	tests := map[string]struct {
		list   said
		copies int // ranges of the object that are copied
	}{
		"all":  {listed("5"), 0},
		"some": {listed("3"), 1},
		"none": {said{Body: `<BlockList><CommittedBlocks/></BlockList>`}, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, anObject("hello"), created, tt.list, created)
			d := s.driver(t)
			_, err := d.Compose(t.Context(), &driver.ComposeRequest{
				Key:        "log",
				Sources:    []driver.ObjectRef{sourceOf(d, "log")},
				Tail:       []byte("!!"),
				Size:       7,
				Properties: plainText,
				Condition:  storage.Condition{Revision: etag},
			})
			require.NoError(t, err)

			requests := s.server.Requests()
			require.Len(t, requests, 4+tt.copies, "%v", s.server.Lines())
			require.Equal(t, tt.copies == 0, strings.Contains(requests[len(requests)-1].Body, "QUFB"))
			require.Equal(t, tt.copies == 1, requests[3].Header.Get("X-Ms-Copy-Source") != "")
		})
	}
}

// If the URL of the source is longer than 2 KiB, which Azure refuses, Copy and Compose fail with Unsupported. The
// engine then streams the bytes. https://learn.microsoft.com/rest/api/storageservices/copy-blob-from-url,
// Azure/azure-powershell#16628.
func TestCopySourceURLTooLong(t *testing.T) {
	long := strings.Repeat("\u30ad", 300)
	limit := strings.Repeat("k", 1024)
	for name, call := range map[string]func(d *objectDriver, key string) error{
		"Copy": func(d *objectDriver, key string) error {
			_, err := d.Copy(t.Context(), &driver.CopyRequest{Source: sourceOf(d, key), Key: "b", Properties: plainText})
			return err
		},
		"Copy in blocks": func(d *objectDriver, key string) error {
			d.copier.limit = 1
			d.copier.block = 2
			_, err := d.Copy(t.Context(), &driver.CopyRequest{Source: sourceOf(d, key), Key: "b", Properties: plainText})
			return err
		},
		"Compose": func(d *objectDriver, key string) error {
			_, err := d.Compose(t.Context(), &driver.ComposeRequest{Key: "b", Sources: []driver.ObjectRef{sourceOf(d, key)}, Properties: plainText})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, anObject("hello"))
			require.Equal(t, storage.Unsupported, storage.CodeOf(call(s.driver(t), long)))
			require.Len(t, s.server.Lines(), 1, "the attributes of the source")
			response := created
			if name == "Copy" {
				response = accepted
			}
			require.NoError(t, call(newScript(t, anObject("hello"), response).driver(t), limit))
		})
	}
}

// With Config.Client, the driver does not know how to authorize a source. So Copy and Compose of the driver fail
// with Unsupported, and the engine streams the bytes.
func TestCopyWithConfigClient(t *testing.T) {
	s := newScript(t, anObject("hello"))
	client, err := s.driver(t).account.client(noRetry)
	require.NoError(t, err)
	d, err := NewDriver(t.Context(), Config{Bucket: "photos", Client: client})
	require.NoError(t, err)

	_, err = d.Copy(t.Context(), &driver.CopyRequest{Source: sourceOf(d.(*objectDriver), "a"), Key: "b", Properties: plainText})
	require.ErrorIs(t, err, storage.Unsupported, "how a given client is authorised is not known")
	_, err = d.Compose(t.Context(), &driver.ComposeRequest{Key: "b", Sources: []driver.ObjectRef{sourceOf(d.(*objectDriver), "a")}})
	require.ErrorIs(t, err, storage.Unsupported)
	require.Empty(t, s.server.Requests())
	require.NoError(t, d.Close())
}
