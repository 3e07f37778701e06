package s3

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/internal/customerkey"
)

// requireNoChecksum requires that a request has no checksum.
func requireNoChecksum(t *testing.T, req wiretest.Request) {
	t.Helper()
	for name := range req.Header {
		require.NotContains(t, strings.ToLower(name), "checksum")
	}
	require.NotContains(t, req.Body, "Checksum")
}

// With UncheckedParts, no request of an upload has a checksum. If PutPart gets a checksum, the
// driver itself compares the part with it.
func TestBeginPartsUnchecked(t *testing.T) {
	server := newStandIn(t, reply{Body: begun})
	d := server.openDriver(t, "aws")

	// The upload.
	put := &driver.PutRequest{Key: "k", Size: -1, AnyOrder: true, UncheckedParts: true}
	_, err := d.BeginParts(t.Context(), put)
	require.NoError(t, err)
	requireNoChecksum(t, server.Last(t))

	// A part.
	server.Respond(withLength(stored))
	part := &driver.PartRequest{
		Key:       "k",
		Upload:    "u1",
		Number:    1,
		Body:      strings.NewReader("hello"),
		Size:      5,
		CRC32C:    wiretest.CRC32C("hello"),
		Unchecked: true,
	}
	_, err = d.PutPart(t.Context(), part)
	require.NoError(t, err)
	requireNoChecksum(t, server.Last(t))

	// The same part with another body does not match its checksum.
	part.Body = strings.NewReader("jello")
	_, err = d.PutPart(t.Context(), part)
	require.ErrorIs(t, err, storage.ChecksumMismatch)

	// The completion.
	server.Respond(withLength(reply{Body: finished}))
	complete := completion(storage.Condition{})
	complete.Put.UncheckedParts = true
	_, err = d.CompleteParts(t.Context(), complete)
	require.NoError(t, err)
	requireNoChecksum(t, server.Last(t))
}

// BeginParts refuses unchecked parts for an upload with a lock, because S3 would refuse such parts.
func TestBeginPartsUncheckedWithLock(t *testing.T) {
	server := newStandIn(t)
	req := &driver.PutRequest{
		Key:            "k",
		Size:           -1,
		AnyOrder:       true,
		UncheckedParts: true,
		Controls:       storage.Controls{LegalHold: true},
	}

	_, err := server.openDriver(t, "aws").BeginParts(t.Context(), req)
	require.ErrorIs(t, err, storage.Unsupported)
	require.Empty(t, server.Lines())
}

// ListParts returns the parts that follow a given number.
func TestListParts(t *testing.T) {
	server := newStandIn(t, reply{Body: `<ListPartsResult>
		<IsTruncated>true</IsTruncated><NextPartNumberMarker>4</NextPartNumberMarker>
		<Part>
			<PartNumber>3</PartNumber><ETag>"a"</ETag><Size>5</Size><ChecksumCRC32C>mnG7TA==</ChecksumCRC32C>
		</Part>
		<Part><PartNumber>4</PartNumber><ETag>"b"</ETag><Size>7</Size></Part>
		</ListPartsResult>`})

	page, err := server.openDriver(t, "aws").ListParts(t.Context(), &driver.ListPartsRequest{
		Key:    "k",
		Upload: "u1",
		After:  2,
		Limit:  10,
	})
	require.NoError(t, err)
	require.Equal(t, &driver.PartPage{More: true, Parts: []driver.Part{
		{Number: 3, Tag: `"a"`, Size: 5, CRC32C: wiretest.CRC32C("hello")},
		{Number: 4, Tag: `"b"`, Size: 7},
	}}, page)
	require.Equal(t, []string{
		"GET /photos/k?max-parts=10&part-number-marker=2&uploadId=u1&x-id=ListParts",
	}, server.Lines())
}

// ListParts fails with ObjectNotFound if the upload is missing. It fails with BucketNotFound if the
// bucket is missing.
func TestListPartsMissing(t *testing.T) {
	for code, want := range map[string]storage.Code{
		"NoSuchUpload": storage.ObjectNotFound,
		"NoSuchKey":    storage.ObjectNotFound,
		"NoSuchBucket": storage.BucketNotFound,
	} {
		t.Run(code, func(t *testing.T) {
			d := newStandIn(t, errorReply(404, code, "")).openDriver(t, "aws")
			_, err := d.ListParts(t.Context(), &driver.ListPartsRequest{Key: "k", Upload: "u1", Limit: 10})
			require.Equal(t, want, storage.CodeOf(err), "%v", err)
		})
	}
}

// ListUploads returns a page of unfinished uploads. With the token of a page, it returns the next
// page.
func TestListUploads(t *testing.T) {
	server := newStandIn(t, reply{Body: `<ListMultipartUploadsResult>
		<IsTruncated>true</IsTruncated>
		<NextKeyMarker>b&amp;"</NextKeyMarker><NextUploadIdMarker>u2</NextUploadIdMarker>
		<Upload><Key>a</Key><UploadId>u1</UploadId><Initiated>2026-03-04T05:06:07.000Z</Initiated></Upload>
		<Upload><Key>b&amp;"</Key><UploadId>u2</UploadId></Upload></ListMultipartUploadsResult>`})
	d := server.openDriver(t, "aws")

	page, err := d.ListUploads(t.Context(), &driver.ListUploadsRequest{Limit: 2})
	require.NoError(t, err)
	require.Equal(t, []storage.UploadEntry{
		{Key: "a", Upload: "u1", Begun: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)},
		{Key: `b&"`, Upload: "u2"},
	}, page.Uploads)

	// The next page begins after the last upload of the first one.
	server.Respond(withLength(reply{Body: `<ListMultipartUploadsResult></ListMultipartUploadsResult>`}))
	last, err := d.ListUploads(t.Context(), &driver.ListUploadsRequest{
		Prefix: "p/",
		Token:  page.Token,
		Limit:  2,
	})
	require.NoError(t, err)
	require.Equal(t, &driver.UploadPage{}, last)
	require.Equal(t, []string{
		"GET /photos?max-uploads=2&uploads=",
		"GET /photos?key-marker=b%26%22&max-uploads=2&prefix=p%2F&upload-id-marker=u2&uploads=",
	}, server.Lines())
}

// ListUploads refuses a token that was not made by ListUploads.
func TestListUploadsInvalidToken(t *testing.T) {
	d := newStandIn(t).openDriver(t, "aws")
	_, err := d.ListUploads(t.Context(), &driver.ListUploadsRequest{Token: "not ours", Limit: 2})
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// If the key of one upload has a control character, ListUploads asks again with encoding-type=url.
// So the other uploads are listed, too. See aws/aws-sdk-java#3112 and ceph/ceph#30993.
func TestListUploadsControlCharacters(t *testing.T) {
	// page returns a page with one upload. The page says that the next one begins after the key in
	// the parameter next.
	page := func(encoding, key, next string) reply {
		return reply{Body: `<ListMultipartUploadsResult>` + encoding + `<IsTruncated>true</IsTruncated>` +
			`<NextKeyMarker>` + next + `</NextKeyMarker><NextUploadIdMarker>u2</NextUploadIdMarker>` +
			`<Upload><Key>` + key + `</Key><UploadId>u1</UploadId></Upload></ListMultipartUploadsResult>`}
	}
	const (
		escaped     = `<EncodingType>url</EncodingType>`
		plain       = "GET /photos?max-uploads=2&uploads="
		withEscapes = "GET /photos?encoding-type=url&max-uploads=2&uploads="
	)
	unreadable := page("", "a&#x1; b+", "c&#x2;")

	tests := map[string]struct {
		replies     []reply
		wantKey     string // of the upload; "": ListUploads fails
		wantNextKey string // the key-marker of the next request, escaped
		wantLines   []string
	}{
		"a readable key that looks escaped": {
			replies:     []reply{page("", "a%01+b", "c%2B")},
			wantKey:     "a%01+b",
			wantNextKey: "c%252B",
			wantLines:   []string{plain},
		},
		"escaped and announced, as by Amazon": {
			replies:     []reply{unreadable, page(escaped, "a%01+b%2B", "c%02+d")},
			wantKey:     "a\x01 b+",
			wantNextKey: "c%02%20d",
			wantLines:   []string{plain, withEscapes},
		},
		"escaped, but not announced, as by Ceph": {
			replies:     []reply{unreadable, page("", "a%01%20b%2B", "c+d")},
			wantKey:     "a\x01 b+",
			wantNextKey: "c%2Bd",
			wantLines:   []string{plain, withEscapes},
		},
		"an invalid escape": {
			replies:   []reply{unreadable, page(escaped, "a%zz", "c")},
			wantLines: []string{plain, withEscapes},
		},
		"unreadable again": {replies: []reply{unreadable, unreadable}, wantLines: []string{plain, withEscapes}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := newStandIn(t, tt.replies...)
			d := server.openDriver(t, "aws")

			page, err := d.ListUploads(t.Context(), &driver.ListUploadsRequest{Limit: 2})
			require.Equal(t, tt.wantLines, server.Lines())
			if tt.wantKey == "" {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.wantKey, page.Uploads[0].Key)

			// The next request begins at the key that the page names.
			server.Respond(withLength(reply{Body: `<ListMultipartUploadsResult/>`}))
			_, err = d.ListUploads(t.Context(), &driver.ListUploadsRequest{Limit: 2, Token: page.Token})
			require.NoError(t, err)
			require.Contains(t, strings.ReplaceAll(server.Last(t).RawQuery, "+", "%20"),
				"key-marker="+tt.wantNextKey+"&")
		})
	}
}

// The signed URL of a part equals the one that the SDK signs for the same request.
func TestSignPartMatchesSDK(t *testing.T) {
	d := mustOpen(t, Config{})
	tests := map[string]struct {
		change func(*driver.SignPartRequest)
		input  awss3.UploadPartInput // of the same request by the SDK
	}{
		"any body": {
			change: func(*driver.SignPartRequest) {},
			input:  awss3.UploadPartInput{},
		},
		"a size": {
			change: func(r *driver.SignPartRequest) {
				r.Size = 5
			},
			input: awss3.UploadPartInput{ContentLength: aws.Int64(5)},
		},
		"a checksum": {
			change: func(r *driver.SignPartRequest) {
				r.CRC32C = storage.CRC32C{Sum: 0xdeadbeef, Known: true}
			},
			input: awss3.UploadPartInput{ChecksumCRC32C: aws.String("3q2+7w==")},
		},
		"an upload with an id that is escaped": {
			change: func(r *driver.SignPartRequest) {
				r.Upload = "a b/c=&d"
			},
			input: awss3.UploadPartInput{UploadId: aws.String("a b/c=&d")},
		},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			// Sign the request with the SDK.
			input := tt.input
			input.Bucket = &d.bucket.name
			input.Key = aws.String("a")
			input.PartNumber = aws.Int32(7)
			if input.UploadId == nil {
				input.UploadId = aws.String("u1")
			}

			// The URL is valid from the start of the current second, so it must be valid for one second more than the
			// TTL.
			client := awss3.NewPresignClient(d.account.client)
			want, err := client.PresignUploadPart(t.Context(), &input, func(o *awss3.PresignOptions) {
				o.Presigner = atTime{now}
				o.Expires = time.Hour + time.Second
			})
			require.NoError(t, err)

			// Sign the same request with this package.
			r := &driver.SignPartRequest{Key: "a", Upload: "u1", Number: 7, TTL: time.Hour, Size: -1}
			tt.change(r)
			got, err := d.urls.signPart(t.Context(), r, now)
			require.NoError(t, err)
			require.Equal(t, want.URL, got.URL)

			// The HTTP client itself sets these headers.
			want.SignedHeader.Del("Host")
			want.SignedHeader.Del("Content-Length")
			require.Equal(t, want.SignedHeader, got.Header)
			require.Equal(t, http.MethodPut, got.Method)
		})
	}
}

// A signed part has the customer's key in headers, and is refused without TLS.
func TestSignPartCustomerKey(t *testing.T) {
	native := []any{customerkey.New("WithCustomerKey", newRawKey(t, 0))}
	r := &driver.SignPartRequest{Key: "a", Upload: "u1", Number: 1, TTL: time.Hour, Size: -1, Native: native}

	signedURL, err := mustOpen(t, Config{}).SignPart(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, customerHeaders(customerPrefix, 0), sseHeaders(signedURL.Header))

	_, err = mustOpen(t, Config{Endpoint: "http://127.0.0.1:9000"}).SignPart(t.Context(), r)
	require.ErrorIs(t, err, storage.InvalidArgument, "a key must be refused without TLS")
}
