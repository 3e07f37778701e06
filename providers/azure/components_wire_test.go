package azure

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/internal/customerkey"
)

// testUpload is the name of an open upload: its prefix, and its secret.
const testUpload = "0123456789abcdef0123456789abcdef-fedcba9876543210fedcba9876543210"

// A part of an open upload is encrypted with the key of its object. It is not archived, even if its
// object will be. Both hold whether the driver or a signed URL sends the part. The responses are
// canned, because the emulator ignores keys.
func TestPutPartEncryption(t *testing.T) {
	const (
		number      = 7
		text        = "hello"
		textCRC64   = "V0JSBnCFdzM="
		secretStart = "fedcba" // of the secret in testUpload
	)
	key := customerkey.New("WithCustomerKey", bytes.Repeat([]byte("k"), 32))
	natives := []any{key, accessTier("Archive")}
	server := newCannedServer(t,
		created,         // the part
		objectReply(""), // the marker of the upload
	)
	d := server.openDriver(t)

	part, err := d.PutPart(t.Context(), &driver.PartRequest{
		Key:    "a",
		Upload: testUpload,
		Number: number,
		Body:   strings.NewReader(text),
		Size:   int64(len(text)),
		CRC32C: wiretest.CRC32C(text),
		Native: natives,
	})
	require.NoError(t, err)
	require.Equal(t, etag, part.Tag)

	// PutPart has sent the key and the checksum.
	put := server.Requests()[0]
	require.Equal(t, "/photos/.omnibucket//parts/0123456789abcdef0123456789abcdef/0-000007",
		strings.ReplaceAll(put.Path, "%2F", "/"))
	require.Equal(t, key.SHA256(), put.Header.Get("X-Ms-Encryption-Key-Sha256"))
	require.Empty(t, put.Header.Get("X-Ms-Access-Tier"), "the part must not be archived, because Azure could not copy it")
	require.Equal(t, textCRC64, put.Header.Get("X-Ms-Content-Crc64"))

	// A signed URL needs the key, too.
	signedURL, err := d.SignPart(t.Context(), &driver.SignPartRequest{
		Key:    "a",
		Upload: testUpload,
		Number: number,
		TTL:    time.Minute,
		Size:   -1,
		Native: natives,
	})
	require.NoError(t, err)
	require.Equal(t, key.SHA256(), signedURL.Header.Get("X-Ms-Encryption-Key-Sha256"))
	require.Empty(t, signedURL.Header.Get("X-Ms-Access-Tier"))
	require.NotContains(t, signedURL.URL, secretStart, "the URL must not show the secret of the upload")
}

// If another write to the key drops the copied blocks, CompleteParts fails with a retryable error.
// It keeps the parts, so the call can be repeated. Before the commit, it notes its decision in the
// marker of the upload. After the failure, it clears the decision.
func TestCompletePartsRepeated(t *testing.T) {
	// These are the answers to the requests of CompleteParts, in order.
	server := newCannedServer(t,
		objectReply(""),    // the marker of the upload
		created,            // the copied block
		objectReply("old"), // the object
		created,            // the marker, with the decision to replace that object
		errorReply(http.StatusBadRequest, codeBlocksDropped), // the commit
		objectReply("old"), // the object is the same
		objectReply("old"),
		created, // the marker, without the decision
	)
	_, err := server.openDriver(t).CompleteParts(t.Context(), &driver.CompleteRequest{
		Put:    &driver.PutRequest{Key: "a", Size: 5, AnyOrder: true},
		Upload: testUpload,
		Parts:  []driver.Part{{Number: 1, Tag: etag, Size: 5}},
	})

	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, storage.Unavailable, e.Code)
	require.True(t, e.Retryable)
	require.NotEqual(t, http.StatusConflict, e.Status, "the engine must not begin another upload")

	requests := server.Requests()
	require.Len(t, requests, 8, "no part may be removed")
	block := requests[1]
	decision := requests[3]
	commit := requests[4]
	withdrawal := requests[7]
	require.Equal(t, etag, block.Header.Get("X-Ms-Source-If-Match"))
	require.Equal(t, etag, commit.Header.Get("If-Match"))

	// Both writes of the marker replace it only if it still has the revision that was read.
	for _, marker := range []wiretest.Request{decision, withdrawal} {
		require.Contains(t, marker.Path, "-begun")
		require.Equal(t, etag, marker.Header.Get("If-Match"))
	}

	// Only the first write has the decision.
	require.NotEmpty(t, decision.Header.Get("X-Ms-Meta-Omnibucketdecision"))
	require.Empty(t, withdrawal.Header.Get("X-Ms-Meta-Omnibucketdecision"))
}

// AbortParts ends the upload before it removes the parts.
func TestAbortPartsEndsUploadFirst(t *testing.T) {
	server := newCannedServer(t, objectReply(""), errorReply(http.StatusForbidden, "AuthorizationFailure"))
	require.Error(t, server.openDriver(t).AbortParts(t.Context(), "a", testUpload))
	require.Len(t, server.Requests(), 2, "the marker must be read, and be removed first")
	require.Equal(t, http.MethodDelete, server.Requests()[1].Method)
	require.Contains(t, server.Requests()[1].Path, "-begun")
}

// CompleteParts copies the parts in blocks of the usual size. If there would be more blocks than a
// blob may have, each part becomes one block.
func TestPartRangesMaxBlocks(t *testing.T) {
	d := newCannedServer(t).openDriver(t)
	d.copier.block = 1 // each byte is a block
	upload, err := parseOpenUpload(testUpload)
	require.NoError(t, err)

	// The first part has as many blocks as a blob may have.
	const firstSize, lastSize = maxBlocks, 5
	parts := []driver.Part{{Number: 1, Size: firstSize}, {Number: 2, Size: 0}, {Number: 3, Size: lastSize}}
	ranges, total, err := d.uploads.partRanges(t.Context(), upload, &driver.CompleteRequest{
		Put:   &driver.PutRequest{Key: "a"},
		Parts: parts,
	})
	require.NoError(t, err)
	require.Equal(t, int64(firstSize+lastSize), total)
	require.Len(t, ranges, 2, "an empty part must take no block")
	require.Equal(t, int64(firstSize), ranges[0].bytes.Count)

	// Without the first part, the blocks are few enough, so each byte is a block.
	ranges, _, err = d.uploads.partRanges(t.Context(), upload, &driver.CompleteRequest{
		Put:   &driver.PutRequest{Key: "a"},
		Parts: parts[1:],
	})
	require.NoError(t, err)
	require.Len(t, ranges, lastSize)
}

// parseOpenUpload refuses names that are not those of open uploads.
func TestParseOpenUpload(t *testing.T) {
	for _, name := range []string{
		"", "../" + testUpload, testUpload + "/", strings.ToUpper(testUpload), newUploadID(),
	} {
		_, err := parseOpenUpload(name)
		require.ErrorIs(t, err, storage.InvalidArgument, name)
	}

	// ListUploads returns the name of an upload without its secret.
	require.True(t, isOpenUpload(testUpload[:32]))
}

// If Azure may not read a part (private endpoint, SAS policy, old version), CompleteParts sends the
// bytes of the part itself. https://github.com/Azure/azure-storage-python/issues/720,
// https://github.com/Azure/azure-sdk-for-java/issues/24881.
func TestCompletePartsServiceMayNotRead(t *testing.T) {
	const crc64OfHello = "V0JSBnCFdzM="
	unverified := errorReply(http.StatusForbidden, codeUnverified)
	part := reply{
		Status: http.StatusPartialContent,
		Body:   "hello",
		Header: map[string]string{
			"ETag":           etag,
			"Last-Modified":  lastModified,
			"Content-Range":  "bytes 0-4/5",
			"Content-Length": "5",
		},
	}
	tests := []struct {
		name    string
		refusal reply  // of the service to copy the part
		part    reply  // to the driver's own read of the part
		crc64   string // of the block, as the service has received it
		want    storage.Code
	}{
		{name: "part not readable by the service", refusal: unverified, part: part},
		{
			name:    "account without public access",
			refusal: errorReply(http.StatusConflict, "PublicAccessNotPermitted"),
			part:    part,
		},
		{
			name:    "part replaced meanwhile",
			refusal: unverified,
			part:    errorReply(http.StatusPreconditionFailed, "ConditionNotMet"),
			want:    storage.Changed,
		},
		{
			name:    "part missing",
			refusal: unverified,
			part:    errorReply(http.StatusNotFound, "BlobNotFound"),
			want:    storage.Changed,
		},
		{
			name:    "checksum of the stored block differs",
			refusal: unverified,
			part:    part,
			crc64:   "AAAAAAAAAAA=",
			want:    storage.ChecksumMismatch,
		},
		{name: "checksum of the stored block is right", refusal: unverified, part: part, crc64: crc64OfHello},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The upload has a marker blob and one part. The service refuses to copy the part.
			var blocks []string
			server := newCannedServer(t)
			server.Answer = func(r wiretest.Request) reply {
				comp := r.Query().Get("comp")
				isMarker := strings.Contains(r.Path, "-begun")
				isPart := strings.Contains(r.Path, "parts") && !isMarker
				switch {
				case r.Header.Get("X-Ms-Copy-Source") != "": // a copy of the part by the service
					return tt.refusal
				case comp == "block": // the bytes of the part, which the driver sends
					blocks = append(blocks, r.Body)
					answer := reply{Status: http.StatusCreated}
					if tt.crc64 != "" {
						answer.Header = map[string]string{"X-Ms-Content-Crc64": tt.crc64}
					}
					return answer
				case comp == "list": // an empty listing
					return reply{Body: `<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>`}
				case r.Method == http.MethodGet: // the driver's read of the part
					require.Equal(t, etag, r.Header.Get("If-Match"), "the read must be of the revision of the part")
					return tt.part
				case r.Method == http.MethodPut: // the commit
					return created
				case r.Method == http.MethodDelete: // the removal of the part or the marker
					return accepted
				case isMarker: // the attributes of the marker
					return objectReply("")
				case isPart && tt.part.Status == http.StatusPartialContent: // the attributes of the part
					return objectReply("hello")
				}
				return errorReply(http.StatusNotFound, "BlobNotFound") // there is no object yet
			}

			_, err := server.openDriver(t).CompleteParts(t.Context(), &driver.CompleteRequest{
				Put:    &driver.PutRequest{Key: "a", Size: 5, AnyOrder: true},
				Upload: testUpload,
				Parts:  []driver.Part{{Number: 1, Tag: etag, Size: 5}},
			})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			if tt.want == "" {
				require.Equal(t, []string{"hello"}, blocks, "the driver must send the bytes of the part once")
			}
		})
	}
}

// On an account that keeps versions, CompleteParts also removes the versions of the parts.
// https://learn.microsoft.com/azure/storage/blobs/versioning-overview.
func TestCompletePartsRemovesVersions(t *testing.T) {
	const marker = "/photos/.omnibucket%2F%2Fparts%2F0123456789abcdef0123456789abcdef%2F-begun"
	firstVersion := versionAt(1)
	secondVersion := versionAt(2)
	const part = "0-000001"
	tests := []struct {
		name     string
		listed   []listedPart // the versions below the prefix of the upload
		version  reply        // the response to the removal of a version
		want     []string     // the removals after that of the marker, sorted
		wantCode storage.Code
	}{
		{
			name:    "account without versions",
			listed:  []listedPart{{name: part}},
			version: accepted,
			want:    []string{"0-000001"},
		},
		{
			name: "account with versions",
			listed: []listedPart{
				{name: "-begun", version: firstVersion},
				{name: part, version: firstVersion},
				{name: part, version: secondVersion, isCurrent: true},
			},
			version: accepted,
			want: []string{
				"-begun?versionid=" + firstVersion,
				"0-000001",
				"0-000001?versionid=" + firstVersion,
				"0-000001?versionid=" + secondVersion,
			},
		},
		{
			name:    "no permission to remove versions",
			listed:  []listedPart{{name: part, version: firstVersion, isCurrent: true}},
			version: errorReply(403, "AuthorizationPermissionMismatch"),
			want:    []string{"0-000001", "0-000001?versionid=" + firstVersion},
		},
		{
			name:    "versions under a default retention",
			listed:  []listedPart{{name: part, version: firstVersion, isCurrent: true}},
			version: errorReply(409, codeImmutable),
			want:    []string{"0-000001", "0-000001?versionid=" + firstVersion},
		},
		{
			name:     "service busy",
			listed:   []listedPart{{name: part, version: firstVersion, isCurrent: true}},
			version:  errorReply(503, "ServerBusy"),
			want:     []string{"0-000001", "0-000001?versionid=" + firstVersion},
			wantCode: storage.RateLimited,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t)
			server.Answer = func(r wiretest.Request) reply {
				switch {
				case r.Method == http.MethodHead: // the attributes of the marker
					return objectReply("", "X-Ms-Meta-Omnibucketkey", "YQ")
				case r.Method == http.MethodGet: // the listing of versions
					var elements strings.Builder
					for _, p := range tt.listed {
						elements.WriteString(p.element())
					}
					return listing("", elements.String())
				case strings.Contains(r.RawQuery, "versionid"): // the removal of a version
					return tt.version
				}
				return accepted // the removal of the marker or a part
			}

			upload := &openUpload{prefix: componentsPrefix + testUpload[:32] + "/"}
			err := server.openDriver(t).uploads.remove(t.Context(), upload)
			require.Equal(t, tt.wantCode, storage.CodeOf(err), "%v", err)

			// The marker is removed first, so the upload has ended before its parts are removed.
			lines := server.Lines()
			require.Equal(t, "DELETE "+marker, strings.ReplaceAll(lines[0], "/parts/", "%2Fparts%2F"))
			require.Contains(t, lines[1], "include=versions")

			// All other requests are removals. Each has the name of a removed blob after its last
			// slash.
			var removals []string
			for _, line := range lines[2:] {
				line, err := url.PathUnescape(line)
				require.NoError(t, err)
				removals = append(removals, line[strings.LastIndex(line, "/")+1:])
			}
			slices.Sort(removals)
			require.Equal(t, tt.want, removals)
		})
	}
}

// A listedPart is a part of testUpload, or its marker, in a listing of versions.
type listedPart struct {
	name      string
	version   string // "" on an account without versions
	isCurrent bool
}

// element returns the part as an element of the listing.
func (p listedPart) element() string {
	const upload = ".omnibucket//parts/0123456789abcdef0123456789abcdef/"
	var details string
	if p.isCurrent {
		details += "<IsCurrentVersion>true</IsCurrentVersion>"
	}
	if p.version != "" {
		details += "<VersionId>" + p.version + "</VersionId>"
	}
	return "<Blob><Name>" + upload + p.name + "</Name>" + details +
		"<Properties><Content-Length>5</Content-Length></Properties></Blob>"
}

// On a service that is too old to have versions, the parts of an upload are found by a listing
// without versions, and then removed.
func TestCompletePartsOfOldService(t *testing.T) {
	noParts := reply{Body: `<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>`}
	server := newCannedServer(t,
		accepted, // the marker is removed
		noParts,
	)
	d := server.openDriver(t, func(c *Config) {
		c.APIVersion = "2019-07-07"
	})

	require.NoError(t, d.uploads.remove(t.Context(), &openUpload{prefix: componentsPrefix}))
	require.NotContains(t, server.Last(t).RawQuery, "versions")
}

// BeginUpload fails with Unsupported if a container-level policy or legal hold keeps blobs from
// being removed.
// https://learn.microsoft.com/azure/storage/blobs/immutable-container-level-worm-policies
func TestBeginUploadImmutableContainer(t *testing.T) {
	tests := []struct {
		name      string
		container reply
		want      storage.Code // "" if the upload begins
	}{
		{
			name:      "immutability policy",
			container: containerReply("X-Ms-Has-Immutability-Policy"),
			want:      storage.Unsupported,
		},
		{name: "legal hold", container: containerReply("X-Ms-Has-Legal-Hold"), want: storage.Unsupported},
		{
			name:      "no permission to read the policies",
			container: errorReply(http.StatusForbidden, "AuthorizationPermissionMismatch"),
		},
		{
			name:      "container missing",
			container: errorReply(http.StatusNotFound, "ContainerNotFound"),
			want:      storage.BucketNotFound,
		},
		{
			name:      "service busy",
			container: errorReply(http.StatusServiceUnavailable, "ServerBusy"),
			want:      storage.RateLimited,
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.container, created)
			_, err := server.openDriver(t).BeginParts(t.Context(), &driver.PutRequest{Key: "a", AnyOrder: true})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)

			// The upload begins only after the policies of the container were read.
			require.Equal(t, containerRequest, server.Lines()[0])
			if tt.want != "" {
				require.Len(t, server.Lines(), 1, "no bytes may be sent")
			}
		})
	}
}

// If the policies of a container permit removing blobs, BeginUpload asks for them only once.
func TestBeginUploadMutableContainer(t *testing.T) {
	tests := []struct {
		name      string
		container reply
	}{
		{name: "no policy", container: containerReply()},
		{
			name:      "a policy of versions",
			container: containerReply("X-Ms-Has-Immutability-Policy", "X-Ms-Immutable-Storage-With-Versioning-Enabled"),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.container, created)
			d := server.openDriver(t)

			// Only the first upload asks for the policies.
			const uploads = 2
			for range uploads {
				_, err := d.BeginParts(t.Context(), &driver.PutRequest{Key: "a", AnyOrder: true})
				require.NoError(t, err)
			}
			require.Equal(t, containerRequest, server.Lines()[0])
			require.Len(t, server.Lines(), 1+uploads, "there must be requests for the container and for two uploads")
		})
	}
}

// containerReply returns the properties of a container. Each of the given headers has the value "true".
func containerReply(headers ...string) reply {
	container := reply{Header: map[string]string{"ETag": etag, "Last-Modified": lastModified}}
	for _, name := range headers {
		container.Header[name] = "true"
	}
	return container
}
