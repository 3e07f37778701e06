package azure

import (
	"net/http"
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

// plainText has the properties of the sources in these tests.
var plainText = storage.Properties{ContentType: "text/plain"}

// Copy reads the attributes of a small source, and then copies its content and metadata in one
// request.
func TestCopyTakesOneRequest(t *testing.T) {
	// The metadata of the source has the checksum and the size of its text.
	source := objectReply("hello", "X-Ms-Meta-Omnibucket_crc32c", "9a71bb4c-5")
	server := newCannedServer(t, source, accepted)
	d := server.openDriver(t)

	attrs, err := d.Copy(t.Context(), &driver.CopyRequest{
		Source:     sourceOf(d, "from ü"),
		Key:        "to",
		Properties: plainText,
		Condition:  storage.Condition{Absent: true},
	})
	require.NoError(t, err)
	require.Equal(t, etag, attrs.Revision)
	require.Equal(t, uint32(0x9a71bb4c), attrs.CRC32C.Sum)

	require.Equal(t, []string{"HEAD /photos/from%20%C3%BC", "PUT /photos/to"}, server.Lines())
	require.Equal(t, etag, server.Requests()[0].Header.Get("If-Match"))

	// The copy is synchronous, and the URL of its source has a signature that permits only reading.
	got := server.Last(t).Header
	require.Equal(t, "true", got.Get("X-Ms-Requires-Sync"))
	require.Equal(t, etag, got.Get("X-Ms-Source-If-Match"))
	require.Equal(t, "*", got.Get("If-None-Match"))
	require.Regexp(t, `/photos/from%20%C3%BC\?.*sp=r&.*sig=`, got.Get("X-Ms-Copy-Source"))

	// If the request has no metadata, Azure copies the metadata of the source.
	for name := range got {
		require.False(t, strings.HasPrefix(name, "X-Ms-Meta-"), name)
	}
}

// A copy with other metadata keeps the checksum that the driver has stored in the metadata of the source. A copy whose
// metadata would be empty has a placeholder instead, because Azure would otherwise copy the metadata of the source.
func TestCopyReplacesMetadata(t *testing.T) {
	const checksum = "9a71bb4c-5" // of "hello", with its size
	withChecksum := objectReply("hello", "X-Ms-Meta-Omnibucket_crc32c", checksum)
	withoutChecksum := objectReply("hello", "X-Ms-Meta-K", "v")
	tests := []struct {
		name     string
		source   reply
		metadata map[string]string // of the copy
		want     map[string]string // as it is sent
	}{
		{
			name:     "other metadata",
			source:   withChecksum,
			metadata: map[string]string{"color": "red"},
			want:     map[string]string{"Color": "red", "Omnibucket_crc32c": checksum},
		},
		{
			name:     "other metadata, with an escaped name",
			source:   withChecksum,
			metadata: map[string]string{"a-b": "c"},
			want:     map[string]string{"A_x002d_b": "c", "Omnibucket_crc32c": checksum}, // x002d is "-"
		},
		{
			name:     "no metadata",
			source:   withChecksum,
			metadata: nil,
			want:     map[string]string{"Omnibucket_crc32c": checksum},
		},
		{
			name:     "no metadata, and a source without a checksum",
			source:   withoutChecksum,
			metadata: nil,
			want:     map[string]string{"Omnibucket_plain": "true"}, // the placeholder
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.source, accepted)
			d := server.openDriver(t)

			_, err := d.Copy(t.Context(), &driver.CopyRequest{
				Source: sourceOf(d, "a"),
				Key:    "b",
				Properties: storage.Properties{
					ContentType:  plainText.ContentType,
					StorageClass: "Cool",
					Metadata:     tt.metadata,
				},
				Replace: true,
			})
			require.NoError(t, err)

			metadata := map[string]string{}
			for name, values := range server.Last(t).Header {
				if key, isMetadata := strings.CutPrefix(name, "X-Ms-Meta-"); isMetadata {
					metadata[key] = values[0]
				}
			}
			require.Equal(t, tt.want, metadata)
			require.Equal(t, "Cool", server.Last(t).Header.Get("X-Ms-Access-Tier"))
		})
	}
}

// Copy copies block by block if the content type changes or the source is too large for one request.
func TestCopyInBlocksRequests(t *testing.T) {
	tests := []struct {
		name       string
		maxCopy    int64 // bytes that one request may copy; 0 for the default
		blockSize  int64 // 0 for the default
		properties storage.Properties
		wantRanges []string
	}{
		{
			name:       "another content type",
			properties: storage.Properties{ContentType: "text/html"},
			wantRanges: []string{"bytes=0-4"},
		},
		{
			name:       "source too large",
			maxCopy:    4,
			blockSize:  2,
			properties: plainText,
			wantRanges: []string{"bytes=0-1", "bytes=2-3", "bytes=4-4"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			source := objectReply("hello", "X-Ms-Meta-Omnibucket_crc32c", "9a71bb4c-5")
			server := newCannedServer(t, source, created)
			d := server.openDriver(t)
			d.copier.limit = tt.maxCopy
			d.copier.block = tt.blockSize
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

			// The first request is for the attributes of the source, and the last commits the blocks.
			requests := server.Requests()
			var ranges []string
			for _, block := range requests[1 : len(requests)-1] {
				require.Contains(t, block.RawQuery, "comp=block")
				require.Equal(t, etag, block.Header.Get("X-Ms-Source-If-Match"))
				require.Contains(t, block.Header.Get("X-Ms-Copy-Source"), "sig=")
				require.Empty(t, block.Header.Get("If-Match"), "only the commit must have the condition")
				ranges = append(ranges, block.Header.Get("X-Ms-Source-Range"))
			}
			slices.Sort(ranges) // blocks are sent in any order
			require.Equal(t, tt.wantRanges, ranges)

			commit := server.Last(t)
			require.Equal(t, "PUT /photos/b?comp=blocklist", commit.Line())
			require.Equal(t, len(tt.wantRanges), strings.Count(commit.Body, "<Latest>"))
			require.Equal(t, tt.properties.ContentType, commit.Header.Get("X-Ms-Blob-Content-Type"))
			require.Equal(t, "v", commit.Header.Get("X-Ms-Meta-K"))
			require.Equal(t, "9a71bb4c-5", commit.Header.Get("X-Ms-Meta-Omnibucket_crc32c"))
			require.Equal(t, `"old"`, commit.Header.Get("If-Match"))
		})
	}
}

// If Azure refuses a copy, the Code shows whether the source or the destination is the reason. If
// the response does not show that, Copy reads the source again.
func TestCopyErrors(t *testing.T) {
	absent := storage.Condition{Absent: true}
	object := objectReply("hello")
	missing := errorReply(404, "BlobNotFound")
	unmet := errorReply(412, "ConditionNotMet")

	tests := []struct {
		name      string
		replies   []reply // to the read of the source, to the copy, and to the second read of the source
		condition storage.Condition
		want      storage.Code
	}{
		{name: "source missing", replies: []reply{missing}, condition: absent, want: storage.Changed},
		{
			name:      "source changed",
			replies:   []reply{unmet},
			condition: absent,
			want:      storage.Changed,
		},
		{
			name:      "source changed before the copy",
			replies:   []reply{object, errorReply(412, "SourceConditionNotMet")},
			condition: absent,
			want:      storage.Changed,
		},
		{
			name:      "source removed before the copy",
			replies:   []reply{object, errorReply(404, "CannotVerifyCopySource"), missing},
			condition: absent,
			want:      storage.Changed,
		},
		{
			name:      "source forbidden to the service",
			replies:   []reply{object, errorReply(403, "CannotVerifyCopySource"), object},
			condition: absent,
			want:      storage.Unsupported,
		},
		{
			name:      "source hidden from the service",
			replies:   []reply{object, errorReply(404, "CannotVerifyCopySource"), object},
			condition: absent,
			want:      storage.Unsupported,
		},
		{
			name:      "server busy",
			replies:   []reply{object, errorReply(500, "CannotVerifyCopySource"), object},
			condition: absent,
			want:      storage.Unavailable,
		},
		{
			name:    "source of another blob type",
			replies: []reply{object, errorReply(409, "InvalidBlobType")},
			want:    storage.Unsupported,
		},
		{
			name:      "destination exists",
			replies:   []reply{object, errorReply(409, "BlobAlreadyExists")},
			condition: absent,
			want:      storage.PreconditionFailed,
		},
		{
			name:      "destination changed",
			replies:   []reply{object, errorReply(412, "TargetConditionNotMet")},
			condition: absent,
			want:      storage.PreconditionFailed,
		},
		{
			name:      "source or destination changed, and it is not the source",
			replies:   []reply{object, unmet, object},
			condition: absent,
			want:      storage.PreconditionFailed,
		},
		{
			name:      "source or destination changed, and it is the source",
			replies:   []reply{object, unmet, unmet},
			condition: absent,
			want:      storage.Changed,
		},
		{
			name:      "container missing",
			replies:   []reply{object, errorReply(404, "ContainerNotFound")},
			condition: absent,
			want:      storage.BucketNotFound,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.replies...)
			d := server.openDriver(t)
			_, err := d.Copy(t.Context(), &driver.CopyRequest{
				Source:     sourceOf(d, "a"),
				Key:        "b",
				Properties: plainText,
				Condition:  tt.condition,
			})

			var e *storage.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.want, e.Code)
			require.Len(t, server.Requests(), len(tt.replies))
			require.NotContains(t, err.Error(), "sig")
		})
	}
}

// If the copy of a range into a block fails temporarily, Copy copies the range again.
func TestCopyInBlocksRetriesRange(t *testing.T) {
	server := newCannedServer(t,
		objectReply("hello"),
		errorReply(http.StatusServiceUnavailable, "ServerBusy"), // the range
		created, // the range again, and the commit
	)
	d := server.openDriver(t)
	d.copier.limit = 1   // so that the object is copied in blocks
	d.copier.block = 100 // which has the whole object

	_, err := d.Copy(t.Context(), &driver.CopyRequest{
		Source:     sourceOf(d, "a"),
		Key:        "b",
		Properties: plainText,
	})
	require.NoError(t, err)
	require.Len(t, server.Requests(), 4, "there must be requests for the attributes, the range twice, and the commit")
}

// If a range can never be copied into a block, Copy fails and commits no block.
func TestCopyInBlocksRangeFails(t *testing.T) {
	server := newCannedServer(t,
		objectReply("hello"),
		errorReply(http.StatusPreconditionFailed, "SourceConditionNotMet"), // each range
	)
	d := server.openDriver(t)
	d.copier.limit = 1 // so that the object is copied in blocks
	d.copier.block = 1 // one for each byte

	_, err := d.Copy(t.Context(), &driver.CopyRequest{
		Source:     sourceOf(d, "a"),
		Key:        "b",
		Properties: plainText,
	})
	require.ErrorIs(t, err, storage.Changed)

	// A commit is a request for the list of blocks.
	for _, line := range server.Lines() {
		require.NotContains(t, line, "blocklist")
	}
}

// Compose copies each source that is not empty as a block, and commits the blocks in order.
func TestComposeRequests(t *testing.T) {
	server := newCannedServer(t,
		objectReply("hello"), // the attributes of the three sources
		objectReply(""),
		objectReply("hello"),
		created, // two blocks, and the commit
	)
	d := server.openDriver(t)

	_, err := d.Compose(t.Context(), &driver.ComposeRequest{
		Key:        "a",
		Sources:    []driver.ObjectRef{sourceOf(d, "a"), sourceOf(d, "empty"), sourceOf(d, "b")},
		Properties: plainText,
		Condition:  storage.Condition{Absent: true},
	})
	require.NoError(t, err)

	// There are three requests for attributes, two for blocks, and the commit.
	requests := server.Requests()
	require.Len(t, requests, 6, "an empty source must not be copied")
	blocks := requests[3:5]
	commit := requests[5]

	// The commit has both blocks.
	require.Equal(t, 2, strings.Count(commit.Body, "<Latest>"))
	require.Equal(t, "*", commit.Header.Get("If-None-Match"))

	// The blocks are copied at the same time, so their order varies.
	var sources []string
	for _, block := range blocks {
		path, _, _ := strings.Cut(block.Header.Get("X-Ms-Copy-Source"), "?")
		sources = append(sources, path[strings.LastIndex(path, "/"):])
	}
	slices.Sort(sources)
	require.Equal(t, []string{"/a", "/b"}, sources)
}

// Append reuses the blocks of an object only if they are the whole object. Bytes that the Data Lake
// API added are in no block.
// https://learn.microsoft.com/azure/storage/blobs/data-lake-storage-known-issues
func TestAppendUsesCommittedBlocks(t *testing.T) {
	// This block id is as long as those of this package.
	id := strings.Repeat("QUFB", 6)
	listed := func(size string) reply {
		return reply{Body: `<BlockList><CommittedBlocks><Block><Name>` + id + `</Name><Size>` + size +
			`</Size></Block></CommittedBlocks></BlockList>`}
	}
	tests := []struct {
		name      string
		list      reply // the committed blocks of the object, which has five bytes
		wantReuse bool  // or else the object is copied as a new block
	}{
		{name: "blocks are the whole object", list: listed("5"), wantReuse: true},
		{name: "blocks are a part of the object", list: listed("3")},
		{name: "no blocks", list: reply{Body: `<BlockList><CommittedBlocks/></BlockList>`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Compose sends these requests in this order.
			server := newCannedServer(t,
				objectReply("hello"), // the source
				created,              // the block of the tail
				tt.list,
				created, // the copied block, if any, and the commit
			)
			d := server.openDriver(t)
			_, err := d.Compose(t.Context(), &driver.ComposeRequest{
				Key:        "log",
				Sources:    []driver.ObjectRef{sourceOf(d, "log")},
				Tail:       []byte("!!"),
				Size:       7,
				Properties: plainText,
				Condition:  storage.Condition{Revision: etag},
			})
			require.NoError(t, err)

			requests := server.Requests()
			commit := server.Last(t)
			if tt.wantReuse {
				// The fourth request is the commit, which names the old block.
				require.Len(t, requests, 4, "%v", server.Lines())
				require.Contains(t, commit.Body, id)
				require.Empty(t, requests[3].Header.Get("X-Ms-Copy-Source"))
				return
			}

			// The fourth request copies the object to a new block, and the fifth is the commit.
			require.Len(t, requests, 5, "%v", server.Lines())
			require.NotContains(t, commit.Body, "QUFB")
			require.NotEmpty(t, requests[3].Header.Get("X-Ms-Copy-Source"))
		})
	}
}

// Copy and Compose fail with Unsupported if the URL of the source is longer than 2 KiB, because
// Azure refuses such URLs. The engine then streams the bytes.
// https://learn.microsoft.com/rest/api/storageservices/copy-blob-from-url
// Azure/azure-powershell#16628
func TestCopySourceURLTooLong(t *testing.T) {
	longest := strings.Repeat("k", 1024)

	// Each of these characters becomes nine characters in a URL.
	tooLong := strings.Repeat("\u30ad", 300)
	copyKey := func(d *objectDriver, key string) error {
		_, err := d.Copy(t.Context(), &driver.CopyRequest{
			Source:     sourceOf(d, key),
			Key:        "b",
			Properties: plainText,
		})
		return err
	}
	tests := []struct {
		name     string
		call     func(d *objectDriver, key string) error
		response reply // to the request of the copy
	}{
		{name: "Copy", call: copyKey, response: accepted},
		{
			name: "Copy in blocks",
			call: func(d *objectDriver, key string) error {
				d.copier.limit = 1
				d.copier.block = 2
				return copyKey(d, key)
			},
			response: created,
		},
		{
			name: "Compose",
			call: func(d *objectDriver, key string) error {
				_, err := d.Compose(t.Context(), &driver.ComposeRequest{
					Key:        "b",
					Sources:    []driver.ObjectRef{sourceOf(d, key)},
					Properties: plainText,
				})
				return err
			},
			response: created,
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, objectReply("hello"))
			err := tt.call(server.openDriver(t), tooLong)
			require.Equal(t, storage.Unsupported, storage.CodeOf(err))
			require.Len(t, server.Lines(), 1, "only the attributes of the source may be requested")

			server = newCannedServer(t, objectReply("hello"), tt.response)
			require.NoError(t, tt.call(server.openDriver(t), longest))
		})
	}
}

// With Config.Client, the driver's Copy and Compose fail with Unsupported, because the driver does
// not know how to authorize a source. The engine then streams the bytes.
func TestCopyWithConfigClient(t *testing.T) {
	server := newCannedServer(t, objectReply("hello"))

	// Open a container with a client of the SDK for the same account.
	client, err := server.openDriver(t).account.client(noRetry)
	require.NoError(t, err)
	d, err := NewDriver(t.Context(), Config{Bucket: "photos", Client: client})
	require.NoError(t, err)
	source := sourceOf(d.(*objectDriver), "a")

	_, err = d.Copy(t.Context(), &driver.CopyRequest{
		Source:     source,
		Key:        "b",
		Properties: plainText,
	})
	require.ErrorIs(t, err, storage.Unsupported)

	_, err = d.Compose(t.Context(), &driver.ComposeRequest{
		Key:     "b",
		Sources: []driver.ObjectRef{source},
	})
	require.ErrorIs(t, err, storage.Unsupported)

	require.Empty(t, server.Requests())
	require.NoError(t, d.Close())
}
