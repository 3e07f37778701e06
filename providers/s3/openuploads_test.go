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

// With UncheckedParts, neither the upload nor its parts have a checksum. PutPart compares a given
// checksum itself.
func TestBeginPartsUnchecked(t *testing.T) {
	none := func(t *testing.T, server *standIn) {
		t.Helper()
		for name := range server.Last(t).Header {
			require.NotContains(t, strings.ToLower(name), "checksum")
		}
		require.NotContains(t, server.Last(t).Body, "Checksum")
	}
	put := &driver.PutRequest{Key: "k", Size: -1, AnyOrder: true, UncheckedParts: true}
	server := newStandIn(t, reply{Body: begun})
	d := server.openDriver(t, "aws")
	_, err := d.BeginParts(t.Context(), put)
	require.NoError(t, err)
	none(t, server)

	server.Respond(withLength(reply{Header: map[string]string{"ETag": etag}}))
	r := &driver.PartRequest{
		Key:       "k",
		Upload:    "u1",
		Number:    1,
		Body:      strings.NewReader("hello"),
		Size:      5,
		CRC32C:    wiretest.CRC32C("hello"),
		Unchecked: true,
	}
	_, err = d.PutPart(t.Context(), r)
	require.NoError(t, err)
	none(t, server)
	r.Body, r.CRC32C = strings.NewReader("jello"), wiretest.CRC32C("hello")

	_, err = d.PutPart(t.Context(), r)
	require.ErrorIs(t, err, storage.ChecksumMismatch, "the driver compares it")

	server.Respond(withLength(reply{Body: finished}))
	c := completion(storage.Condition{})
	c.Put.UncheckedParts = true
	_, err = d.CompleteParts(t.Context(), c)
	require.NoError(t, err)
	none(t, server)

	requests := len(server.Lines())
	put.LegalHold = true
	_, err = d.BeginParts(t.Context(), put)
	require.ErrorIs(t, err, storage.Unsupported)
	require.Len(t, server.Lines(), requests, "S3 takes no part with a lock and without a checksum")
}

func TestListParts(t *testing.T) {
	server := newStandIn(t, reply{Body: `<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>4</NextPartNumberMarker>
		<Part><PartNumber>3</PartNumber><ETag>"a"</ETag><Size>5</Size><ChecksumCRC32C>mnG7TA==</ChecksumCRC32C></Part>
		<Part><PartNumber>4</PartNumber><ETag>"b"</ETag><Size>7</Size></Part></ListPartsResult>`})
	d := server.openDriver(t, "aws")

	page, err := d.ListParts(t.Context(), &driver.ListPartsRequest{
		Key:    "k",
		Upload: "u1",
		After:  2,
		Limit:  10,
	})
	require.NoError(t, err)
	require.Equal(t, &driver.PartPage{More: true, Parts: []driver.Part{
		{Number: 3, Tag: `"a"`, Size: 5, CRC32C: wiretest.CRC32C("hello")}, {Number: 4, Tag: `"b"`, Size: 7},
	}}, page)
	require.Equal(t, []string{"GET /photos/k?max-parts=10&part-number-marker=2&uploadId=u1&x-id=ListParts"},
		server.Lines())

	for code, want := range map[string]storage.Code{
		"NoSuchUpload": storage.ObjectNotFound,
		"NoSuchKey":    storage.ObjectNotFound,
		"NoSuchBucket": storage.BucketNotFound,
	} {
		server.Respond(errorReply(404, code, ""))
		_, err = d.ListParts(t.Context(), &driver.ListPartsRequest{Key: "k", Upload: "u1", Limit: 10})
		require.Equal(t, want, storage.CodeOf(err), code)
	}
}

func TestListUploads(t *testing.T) {
	server := newStandIn(t, reply{Body: `<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>b&amp;"</NextKeyMarker><NextUploadIdMarker>u2</NextUploadIdMarker>
		<Upload><Key>a</Key><UploadId>u1</UploadId><Initiated>2026-03-04T05:06:07.000Z</Initiated></Upload>
		<Upload><Key>b&amp;"</Key><UploadId>u2</UploadId></Upload></ListMultipartUploadsResult>`})
	d := server.openDriver(t, "aws")

	page, err := d.ListUploads(t.Context(), &driver.ListUploadsRequest{Limit: 2})
	require.NoError(t, err)
	require.Equal(t, []storage.UploadEntry{
		{Key: "a", Upload: "u1", Begun: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)},
		{Key: `b&"`, Upload: "u2"},
	}, page.Uploads)

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

	_, err = d.ListUploads(t.Context(), &driver.ListUploadsRequest{Token: "not ours", Limit: 2})
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// If the key of one upload has a control character, ListUploads asks again with encoding-type=url,
// so that the others stay visible. aws/aws-sdk-java#3112, ceph/ceph#30993.
func TestListUploadsControlCharacters(t *testing.T) {
	page := func(encoding, key, next string) reply {
		return reply{Body: `<ListMultipartUploadsResult>` + encoding + `<IsTruncated>true</IsTruncated><NextKeyMarker>` + next + `</NextKeyMarker><NextUploadIdMarker>u2</NextUploadIdMarker>
			<Upload><Key>` + key + `</Key><UploadId>u1</UploadId></Upload></ListMultipartUploadsResult>`}
	}
	const escaped = `<EncodingType>url</EncodingType>`
	const plain, asked = "GET /photos?max-uploads=2&uploads=", "GET /photos?encoding-type=url&max-uploads=2&uploads="
	unreadable := page("", "a&#x1; b+", "c&#x2;")

	tests := map[string]struct {
		replies   []reply
		key, next string
		lines     []string
	}{
		"readable": {
			replies: []reply{page("", "a%01+b", "c%2B")},
			key:     "a%01+b",
			next:    "c%252B",
			lines:   []string{plain},
		},
		"Amazon": {
			replies: []reply{unreadable, page(escaped, "a%01+b%2B", "c%02+d")},
			key:     "a\x01 b+",
			next:    "c%02%20d",
			lines:   []string{plain, asked},
		},
		"Ceph": {
			replies: []reply{unreadable, page("", "a%01%20b%2B", "c+d")},
			key:     "a\x01 b+",
			next:    "c%2Bd",
			lines:   []string{plain, asked},
		},
		"not as announced": {
			replies: []reply{unreadable, page(escaped, "a%zz", "c")},
			lines:   []string{plain, asked},
		},
		"still unreadable": {replies: []reply{unreadable, unreadable}, lines: []string{plain, asked}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := newStandIn(t, tt.replies...)
			d := server.openDriver(t, "aws")

			page, err := d.ListUploads(t.Context(), &driver.ListUploadsRequest{Limit: 2})
			require.Equal(t, tt.lines, server.Lines())
			if tt.key == "" {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.key, page.Uploads[0].Key)

			server.Respond(withLength(reply{Body: `<ListMultipartUploadsResult/>`}))
			_, err = d.ListUploads(t.Context(), &driver.ListUploadsRequest{Limit: 2, Token: page.Token})
			require.NoError(t, err)
			require.Contains(t, strings.ReplaceAll(server.Last(t).RawQuery, "+", "%20"),
				"key-marker="+tt.next+"&")
		})
	}
}

// A signed part is the one that the SDK signs.
func TestSignPartMatchesSDK(t *testing.T) {
	d := mustOpen(t, Config{})
	tests := map[string]struct {
		ask func(*driver.SignPartRequest)
		sdk awss3.UploadPartInput
	}{
		"any body": {func(*driver.SignPartRequest) {}, awss3.UploadPartInput{}},
		"a size": {func(r *driver.SignPartRequest) {
			r.Size = 5
		}, awss3.UploadPartInput{ContentLength: aws.Int64(5)}},
		"a checksum": {func(r *driver.SignPartRequest) {
			r.CRC32C = storage.CRC32C{Sum: 0xdeadbeef, Known: true}
		}, awss3.UploadPartInput{ChecksumCRC32C: aws.String("3q2+7w==")}},
		"a long upload": {func(r *driver.SignPartRequest) {
			r.Upload = "a b/c=&d"
		}, awss3.UploadPartInput{UploadId: aws.String("a b/c=&d")}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			input := tt.sdk
			input.Bucket = &d.bucket.name
			input.Key = aws.String("a")
			input.PartNumber = aws.Int32(7)
			if input.UploadId == nil {
				input.UploadId = aws.String("u1")
			}
			want, err := awss3.NewPresignClient(d.account.client).PresignUploadPart(t.Context(), &input, func(o *awss3.PresignOptions) {
				o.Presigner = atTime{now}
				o.Expires = time.Hour + time.Second
			})
			require.NoError(t, err)
			r := &driver.SignPartRequest{Key: "a", Upload: "u1", Number: 7, TTL: time.Hour, Size: -1}
			tt.ask(r)

			got, err := d.urls.signPart(t.Context(), r, now)
			require.NoError(t, err)
			require.Equal(t, want.URL, got.URL)

			want.SignedHeader.Del("Host")
			want.SignedHeader.Del("Content-Length")
			require.Equal(t, want.SignedHeader, got.Header)
			require.Equal(t, http.MethodPut, got.Method)
		})
	}
}

// A signed part has the customer's key.
func TestSignPartCustomerKey(t *testing.T) {
	native := []any{customerkey.New("WithCustomerKey", newRawKey(t, 0))}
	r := &driver.SignPartRequest{Key: "a", Upload: "u1", Number: 1, TTL: time.Hour, Size: -1, Native: native}
	signedURL, err := mustOpen(t, Config{}).SignPart(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, customerHeaders(customerPrefix, 0),
		sseHeaders(signedURL.Header))
	_, err = mustOpen(t, Config{Endpoint: "http://127.0.0.1:9000"}).SignPart(t.Context(), r)
	require.ErrorIs(t, err, storage.InvalidArgument, "without TLS")
}
