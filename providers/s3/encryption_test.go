package s3

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/internal/customerkey"
	"github.com/omnibucket/storage/providers/s3/internal/option"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
)

const (
	sseHeader         = "X-Amz-Server-Side-Encryption"
	kmsKeyHeader      = sseHeader + "-Aws-Kms-Key-Id"
	kmsContextHeader  = sseHeader + "-Context"
	bucketKeyHeader   = sseHeader + "-Bucket-Key-Enabled"
	customerHeader    = sseHeader + "-Customer-Algorithm"
	customerKeyHeader = sseHeader + "-Customer-Key"
	customerMD5Header = sseHeader + "-Customer-Key-Md5"
	replicationHeader = "X-Amz-Replication-Status"
)

// customerKeys are two keys of Ceph's tests of S3's interface, each with its MD5, in base64. They
// are in the file s3tests/functional/test_s3.py of ceph/s3-tests. The test
// test_encryption_sse_c_present has the first one, test_encryption_sse_c_other_key has both.
// Amazon's own pages have no complete pair.
var customerKeys = [2]struct{ key, md5 string }{
	{key: "pO3upElrwuEXSoFwCfnZPdSsmt/xWeFa0N9KgDijwVs=", md5: "DWygnHRtgiJ77HCm+1rvHw=="},
	{key: "6b+WOZ1T3cqZMxgThRcXAQBrS5mXKdDUphvpxptl9/4=", md5: "arxBvwY2V4SiOne6yppVPQ=="},
}

// newRawKey returns a key of customerKeys.
func newRawKey(t *testing.T, i int) []byte {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(customerKeys[i].key)
	require.NoError(t, err)
	require.Len(t, key, 32)
	return key
}

// customerHeaders returns the three headers of a key of customerKeys.
func customerHeaders(prefix string, i int) map[string]string {
	return map[string]string{
		prefix + "-Algorithm": "AES256",
		prefix + "-Key":       customerKeys[i].key,
		prefix + "-Key-Md5":   customerKeys[i].md5,
	}
}

// The headers of a customer's key begin with customerPrefix. Those of the key of a source begin
// with sourceCustomerPrefix.
const (
	customerPrefix       = sseHeader + "-Customer"
	sourceCustomerPrefix = "X-Amz-Copy-Source-Server-Side-Encryption-Customer"
)

// sseHeaders returns the headers of a request that are about encryption.
func sseHeaders(h http.Header) map[string]string {
	headers := map[string]string{}
	for name := range h {
		if strings.Contains(name, "Server-Side-Encryption") {
			headers[name] = h.Get(name)
		}
	}
	return headers
}

// xmlReply returns a response with an XML document.
func xmlReply(body string) reply {
	return reply{
		Header: map[string]string{"Content-Type": "application/xml", "ETag": etag},
		Body:   `<?xml version="1.0" encoding="UTF-8"?>` + body,
	}
}

// An encryptedCall is a call that sends one kind of request, with its options.
type encryptedCall struct {
	reply  reply
	do     func(ctx context.Context, d *objectDriver, native []any) error
	writes bool // it begins to store an object: only then SSE-KMS is named
}

// encryptedCalls returns a call for each kind of request that may have encryption options. The keys
// are the names of the requests.
func encryptedCalls() map[string]encryptedCall {
	source := func(d *objectDriver, native []any) driver.ObjectRef {
		return driver.ObjectRef{
			Account:  d.account.identity,
			Bucket:   "photos",
			Key:      "source",
			Revision: etag,
			Native:   native,
			Attrs:    &storage.Attrs{Size: 10},
		}
	}
	return map[string]encryptedCall{
		"PutObject": {
			reply:  stored,
			writes: true,
			do: func(ctx context.Context, d *objectDriver, native []any) error {
				r := wiretest.Put("k", "hello")
				r.Native = native
				_, err := d.Put(ctx, r)
				return err
			},
		},
		"CreateMultipartUpload": {
			reply:  xmlReply(`<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>`),
			writes: true,
			do: func(ctx context.Context, d *objectDriver, native []any) error {
				_, err := d.BeginParts(ctx, &driver.PutRequest{Key: "k", Native: native})
				return err
			},
		},
		"UploadPart": {
			reply: stored,
			do: func(ctx context.Context, d *objectDriver, native []any) error {
				_, err := d.PutPart(ctx, &driver.PartRequest{
					Key:    "k",
					Upload: "u",
					Number: 1,
					Size:   5,
					Body:   strings.NewReader("hello"),
					CRC32C: wiretest.CRC32C("hello"),
					Native: native,
				})
				return err
			},
		},
		"CompleteMultipartUpload": {
			reply: xmlReply(`<CompleteMultipartUploadResult><ETag>"1-2"</ETag></CompleteMultipartUploadResult>`),
			do: func(ctx context.Context, d *objectDriver, native []any) error {
				_, err := d.CompleteParts(ctx, &driver.CompleteRequest{
					Put:    &driver.PutRequest{Key: "k", Native: native},
					Upload: "u",
					Parts:  []driver.Part{{Number: 1, Tag: etag}},
				})
				return err
			},
		},
		"ListParts": {
			reply: xmlReply(`<ListPartsResult></ListPartsResult>`),
			do: func(ctx context.Context, d *objectDriver, native []any) error {
				_, err := d.ListParts(ctx, &driver.ListPartsRequest{
					Key:    "k",
					Upload: "u",
					Limit:  1,
					Native: native,
				})
				return err
			},
		},
		"GetObject": {
			reply: stored,
			do: func(ctx context.Context, d *objectDriver, native []any) error {
				_, body, err := d.Get(ctx, &driver.GetRequest{Key: "k", Length: -1, Native: native})
				if err == nil {
					_, err = io.Copy(io.Discard, body)
					_ = body.Close()
				}
				return err
			},
		},
		"GetObject of a range": {
			reply: reply{
				Status: http.StatusPartialContent,
				Header: map[string]string{"Content-Range": "bytes 1-2/5"},
				Body:   "el",
			},
			do: func(ctx context.Context, d *objectDriver, native []any) error {
				_, body, err := d.Get(ctx, &driver.GetRequest{Key: "k", Offset: 1, Length: 2, Native: native})
				if err == nil {
					_ = body.Close()
				}
				return err
			},
		},
		"HeadObject": {
			reply: stored,
			do: func(ctx context.Context, d *objectDriver, native []any) error {
				_, err := d.Head(ctx, &driver.GetRequest{Key: "k", Length: -1, Native: native})
				return err
			},
		},
		"HeadObject with its own output": {
			reply: stored,
			do: func(ctx context.Context, d *objectDriver, native []any) error {
				_, err := d.Head(ctx, &driver.GetRequest{
					Key:         "k",
					Length:      -1,
					Native:      native,
					NativeAttrs: true,
				})
				return err
			},
		},
		"CopyObject": {
			reply:  xmlReply(`<CopyObjectResult><ETag>"1"</ETag></CopyObjectResult>`),
			writes: true,
			do: func(ctx context.Context, d *objectDriver, native []any) error {
				_, err := d.Copy(ctx, &driver.CopyRequest{Source: source(d, nil), Key: "k", Native: native})
				return err
			},
		},
		"UploadPartCopy": {
			reply: xmlReply(`<CopyPartResult><ETag>"1"</ETag></CopyPartResult>`),
			do: func(ctx context.Context, d *objectDriver, native []any) error {
				_, err := d.copier.uploadPartCopy(ctx, "k", "u", 1,
					copyRange{source: source(d, nil), size: 10}, native)
				return err
			},
		},
	}
}

// newTLSStandIn opens the bucket "photos" at a server with TLS, for the raw client.
func newTLSStandIn(t *testing.T) (*standIn, *objectDriver) {
	t.Helper()
	server := &standIn{wiretest.NewTLSServer(t)}
	raw, _ := server.openDrivers(t, "aws")
	return server, raw
}

// WithCustomerKey sends the key in signed headers with each request that needs it.
func TestWithCustomerKeyRequests(t *testing.T) {
	// Run the test with each key of customerKeys. The headers of customerHeaders with the same
	// index belong to this key.
	for i := range customerKeys {
		key := customerkey.New("WithCustomerKey", newRawKey(t, i))
		server, d := newTLSStandIn(t)
		require.NoError(t, d.bucket.checkNative(key))

		// encryptedCalls has a call for each kind of request that needs the key.
		for name, call := range encryptedCalls() {
			server.Respond(withLength(call.reply))
			require.NoError(t, call.do(t.Context(), d, []any{key}), name)

			header := server.Last(t).Header
			require.Equal(t, customerHeaders(customerPrefix, i), sseHeaders(header), name)
			require.Contains(t, header.Get("Authorization"), "x-amz-server-side-encryption-customer-key;", name)
		}
	}
}

// WithSourceCustomerKey sends the key of the source with copies, and with reads of the source. WithCustomerKey sends
// the key of the copy.
func TestWithSourceCustomerKeyRequests(t *testing.T) {
	const sourceKey, otherKey = 0, 1 // indexes of customerKeys
	server := &standIn{wiretest.NewTLSServer(t)}
	_, d := server.openDrivers(t, "aws")
	source := driver.ObjectRef{
		Account: d.account.identity,
		Bucket:  "photos",
		Key:     "source",
		Native:  []any{customerkey.New("WithSourceCustomerKey", newRawKey(t, sourceKey))},
	}
	bothKeys := customerHeaders(customerPrefix, otherKey)
	maps.Copy(bothKeys, customerHeaders(sourceCustomerPrefix, sourceKey))

	tests := []struct {
		name   string
		native []any
		want   map[string]string
	}{
		{name: "copy without a key", want: customerHeaders(sourceCustomerPrefix, sourceKey)},
		{
			name:   "copy with another key",
			native: []any{customerkey.New("WithCustomerKey", newRawKey(t, otherKey))},
			want:   bothKeys,
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The copy is one request.
			server.Respond(xmlReply(`<CopyObjectResult><ETag>"1"</ETag></CopyObjectResult>`))
			_, err := d.Copy(t.Context(), &driver.CopyRequest{Source: source, Key: "k", Native: tt.native})
			require.NoError(t, err)
			require.Equal(t, tt.want, sseHeaders(server.Last(t).Header), "CopyObject")

			// The copy is in parts. This request copies part 1.
			server.Respond(xmlReply(`<CopyPartResult><ETag>"1"</ETag></CopyPartResult>`))
			part := copyRange{source: source, size: 10}
			_, err = d.copier.uploadPartCopy(t.Context(), "k", "u", 1, part, tt.native)
			require.NoError(t, err)
			require.Equal(t, tt.want, sseHeaders(server.Last(t).Header), "UploadPartCopy")

			// A read of the source sends the source's key in the usual headers for reads of an
			// object.
			server.Respond(withLength(reply{Body: "hello"}))
			_, err = d.copier.sourceAttrs(t.Context(), source)
			require.NoError(t, err)
			require.Equal(t, customerHeaders(customerPrefix, sourceKey), sseHeaders(server.Last(t).Header), "HeadObject")
		})
	}
}

const keyARN = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// WithKMSKey and WithKMSContext send their headers with each request that begins to write an object.
// S3 refuses these headers on other requests.
func TestWithKMSKeyRequests(t *testing.T) {
	keyID := keyARN
	key := &option.KMSKey{Argument: "WithKMSKey", ID: &keyID}
	kmsContext := &option.KMSKey{Argument: "WithKMSContext", Context: map[string]string{"team": "a", "app": "ü"}}
	const encodedContext = "eyJhcHAiOiLDvCIsInRlYW0iOiJhIn0=" // {"app":"ü","team":"a"}

	tests := map[string]struct {
		configKey string // Config.KMSKey
		bucketKey bool   // Config.BucketKey
		options   []any
		want      map[string]string // headers of requests that begin to write
	}{
		"no key": {want: map[string]string{}},
		"option with a key": {
			options: []any{key},
			want:    map[string]string{sseHeader: "aws:kms", kmsKeyHeader: keyARN},
		},
		"option with a context": {
			options: []any{kmsContext},
			want:    map[string]string{sseHeader: "aws:kms", kmsContextHeader: encodedContext},
		},
		"options with key and context": {
			options: []any{kmsContext, key},
			want:    map[string]string{sseHeader: "aws:kms", kmsKeyHeader: keyARN, kmsContextHeader: encodedContext},
		},
		"key in the Config": {
			configKey: keyARN,
			want:      map[string]string{sseHeader: "aws:kms", kmsKeyHeader: keyARN},
		},
		"bucket key in the Config": {
			configKey: keyARN,
			bucketKey: true,
			want:      map[string]string{sseHeader: "aws:kms", kmsKeyHeader: keyARN, bucketKeyHeader: "true"},
		},
		"option replaces the key in the Config": {
			configKey: "alias/other",
			options:   []any{key},
			want:      map[string]string{sseHeader: "aws:kms", kmsKeyHeader: keyARN},
		},
		"key in the Config, and option with a context": {
			configKey: keyARN,
			options:   []any{kmsContext},
			want:      map[string]string{sseHeader: "aws:kms", kmsKeyHeader: keyARN, kmsContextHeader: encodedContext},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := newStandIn(t)
			d := server.openDriver(t, "aws", func(c *Config) {
				c.KMSKey = tt.configKey
				c.BucketKey = tt.bucketKey
			})
			for _, o := range tt.options {
				require.NoError(t, d.bucket.checkNative(o))
			}

			for name, call := range encryptedCalls() {
				server.Respond(withLength(call.reply))
				require.NoError(t, call.do(t.Context(), d, tt.options), name)
				got := sseHeaders(server.Last(t).Header)
				if call.writes {
					require.Equal(t, tt.want, got, name)
				} else {
					require.Empty(t, got, name)
				}
			}
		})
	}
}

// An upload with WithCustomerKey does not send the KMS key of the Config, because an object has
// only one kind of encryption.
func TestWithCustomerKeyReplacesConfigKey(t *testing.T) {
	server := &standIn{wiretest.NewTLSServer(t, stored)}
	d := server.openDriver(t, "aws", func(c *Config) {
		c.HTTPClient = server.Client()
		c.KMSKey = keyARN
		c.BucketKey = true
	})
	r := wiretest.Put("k", "hello")
	r.Native = []any{customerkey.New("WithCustomerKey", newRawKey(t, 0))}
	_, err := d.Put(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, customerHeaders(customerPrefix, 0),
		sseHeaders(server.Last(t).Header))
}

// An upload to R2 sends the headers of the customer's key.
func TestWithCustomerKeyOnR2(t *testing.T) {
	server := &standIn{wiretest.NewTLSServer(t, stored)}
	r := wiretest.Put("k", "hello")
	r.Native = []any{customerkey.New("WithCustomerKey", newRawKey(t, 0))}
	d := server.openDriver(t, "r2", func(c *Config) {
		c.HTTPClient = server.Client()
	})
	require.NoError(t, d.bucket.checkNative(r.Native[0]))

	_, err := d.Put(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, customerHeaders(customerPrefix, 0), sseHeaders(server.Last(t).Header))
}

// WithCustomerKey works with each profile whose provider documents SSE-C.
func TestWithCustomerKeyProfiles(t *testing.T) {
	const firstKey = 0 // of customerKeys
	profiles := []string{
		"spaces", // https://docs.digitalocean.com/products/spaces/reference/s3-compatibility/
		"r2",     // https://developers.cloudflare.com/r2/api/s3/api/
		"rustfs", // https://github.com/rustfs/rustfs/blob/main/docs/architecture/s3-compatibility-matrix.md
		// https://help.ovhcloud.com/csm/en-ie-reversibility-object-storage?id=kb_article_view&sysparm_article=KB0071180
		"ovh",
		"scaleway", // https://www.scaleway.com/en/docs/object-storage/api-cli/enable-sse-c/
	}
	for _, profile := range profiles {
		t.Run(profile, func(t *testing.T) {
			server := &standIn{wiretest.NewTLSServer(t, stored)}
			b := engine.New(server.openDriver(t, profile, func(c *Config) {
				c.HTTPClient = server.Client()
			}))
			_, err := b.Upload(t.Context(), "k", strings.NewReader("x"), WithCustomerKey(newRawKey(t, firstKey)))
			require.NoError(t, err)
			require.Equal(t, customerHeaders(customerPrefix, firstKey), sseHeaders(server.Last(t).Header))
		})
	}
}

// An encryption option fails before a request is sent if its value is invalid or the server lacks
// the option.
func TestEncryptionOptionsRefused(t *testing.T) {
	key := make([]byte, 32)
	tlsServer := &standIn{wiretest.NewTLSServer(t)}
	plainServer := newStandIn(t)
	const maxLength = 2048 // of a KMS key's name

	tests := map[string]struct {
		server   *standIn
		profile  string
		opts     []storage.UploadOption
		wantCode storage.Code
		wantText string
	}{
		"a key without bytes": {
			server:   tlsServer,
			profile:  "aws",
			opts:     []storage.UploadOption{WithCustomerKey(nil)},
			wantCode: storage.InvalidArgument,
			wantText: "32 bytes, and has 0",
		},
		"a short key": {
			server:   tlsServer,
			profile:  "aws",
			opts:     []storage.UploadOption{WithCustomerKey(key[:31])},
			wantCode: storage.InvalidArgument,
			wantText: "32 bytes, and has 31",
		},
		"a long key": {
			server:   tlsServer,
			profile:  "aws",
			opts:     []storage.UploadOption{WithCustomerKey(append(key, 0))},
			wantCode: storage.InvalidArgument,
			wantText: "32 bytes, and has 33",
		},
		"a customer's key without TLS": {
			server:   plainServer,
			profile:  "aws",
			opts:     []storage.UploadOption{WithCustomerKey(key)},
			wantCode: storage.InvalidArgument,
			wantText: "TLS",
		},
		"a customer's key for a server that ignores it": {
			server:   tlsServer,
			profile:  "versitygw",
			opts:     []storage.UploadOption{WithCustomerKey(key)},
			wantCode: storage.Unsupported,
			wantText: "SSE-C",
		},
		"a KMS key for a server that ignores it": {
			server:   plainServer,
			profile:  "versitygw",
			opts:     []storage.UploadOption{WithKMSKey(keyARN)},
			wantCode: storage.Unsupported,
			wantText: "SSE-KMS",
		},
		"a KMS context for an unknown server": {
			server:   plainServer,
			profile:  "unknown",
			opts:     []storage.UploadOption{WithKMSContext(map[string]string{"a": "b"})},
			wantCode: storage.Unsupported,
			wantText: "Config.Profile",
		},
		"an empty KMS key": {
			server:   plainServer,
			profile:  "aws",
			opts:     []storage.UploadOption{WithKMSKey("")},
			wantCode: storage.InvalidArgument,
			wantText: "WithKMSKey",
		},
		"a KMS key with a line break": {
			server:   plainServer,
			profile:  "aws",
			opts:     []storage.UploadOption{WithKMSKey("a\r\nb")},
			wantCode: storage.InvalidArgument,
			wantText: "WithKMSKey",
		},
		"a KMS key that is too long": {
			server:   plainServer,
			profile:  "aws",
			opts:     []storage.UploadOption{WithKMSKey(strings.Repeat("x", maxLength+1))},
			wantCode: storage.InvalidArgument,
			wantText: "2,048",
		},
		"a key of Google's": {
			server:   plainServer,
			profile:  "aws",
			opts:     []storage.UploadOption{WithKMSKey("projects/p/locations/l/keyRings/r/cryptoKeys/k")},
			wantCode: storage.InvalidArgument,
			wantText: "Google",
		},
		"a key of Azure's": {
			server:   plainServer,
			profile:  "aws",
			opts:     []storage.UploadOption{WithKMSKey("https://v.vault.azure.net/keys/k")},
			wantCode: storage.InvalidArgument,
			wantText: "AWS KMS",
		},
		"an empty KMS context": {
			server:   plainServer,
			profile:  "aws",
			opts:     []storage.UploadOption{WithKMSContext(nil)},
			wantCode: storage.InvalidArgument,
			wantText: "WithKMSContext",
		},
		"a customer's key after a KMS key": {
			server:   tlsServer,
			profile:  "aws",
			opts:     []storage.UploadOption{WithKMSKey(keyARN), WithCustomerKey(key)},
			wantCode: storage.InvalidArgument,
			wantText: "excludes",
		},
		"a KMS key after a customer's key": {
			server:   tlsServer,
			profile:  "aws",
			opts:     []storage.UploadOption{WithCustomerKey(key), WithKMSKey(keyARN)},
			wantCode: storage.InvalidArgument,
			wantText: "excludes",
		},
		"an option of another package": {
			server:   plainServer,
			profile:  "aws",
			opts:     []storage.UploadOption{storage.WithNative("gcs", "k")},
			wantCode: storage.Unsupported,
			wantText: "gcs",
		},
		"an unknown option for this package": {
			server:   plainServer,
			profile:  "aws",
			opts:     []storage.UploadOption{storage.WithNative("s3", "k")},
			wantCode: storage.Unsupported,
			wantText: "package s3",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := engine.New(tt.server.openDriver(t, tt.profile, func(c *Config) {
				c.HTTPClient = tt.server.Client()
			}))
			_, err := b.Upload(t.Context(), "k", strings.NewReader("x"), tt.opts...)
			require.ErrorIs(t, err, tt.wantCode)
			require.ErrorContains(t, err, tt.wantText)
			require.Empty(t, tt.server.Requests())
		})
	}
}

// NewDriver refuses a Config whose encryption options or expected bucket owner are malformed, or
// are ignored by the server.
func TestConfigChecksItsEncryption(t *testing.T) {
	tests := []struct {
		name    string
		config  Config
		profile string
		want    storage.Code
	}{
		{name: "a KMS key", config: Config{KMSKey: keyARN, BucketKey: true}, profile: "aws"},
		{
			name:    "a bucket key without a KMS key",
			config:  Config{BucketKey: true},
			profile: "aws",
			want:    storage.InvalidArgument,
		},
		{
			name:    "a KMS key with a space",
			config:  Config{KMSKey: "a b"},
			profile: "aws",
			want:    storage.InvalidArgument,
		},
		{
			name:    "a KMS key of Google",
			config:  Config{KMSKey: "projects/p"},
			profile: "aws",
			want:    storage.InvalidArgument,
		},
		{
			name:    "a KMS key for anonymous requests",
			config:  Config{KMSKey: keyARN, Anonymous: true},
			profile: "aws",
			want:    storage.InvalidArgument,
		},
		{
			name:    "a KMS key for a server that ignores it",
			config:  Config{KMSKey: keyARN},
			profile: "versitygw",
			want:    storage.Unsupported,
		},
		{name: "an owner", config: Config{ExpectedBucketOwner: "123456789012"}, profile: "aws"},
		{
			name:    "an owner with a space",
			config:  Config{ExpectedBucketOwner: "a b"},
			profile: "aws",
			want:    storage.InvalidArgument,
		},
		{
			name:    "an owner for a server that ignores it",
			config:  Config{ExpectedBucketOwner: "123456789012"},
			profile: "minio",
			want:    storage.Unsupported,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.config
			c.Bucket = "photos"
			c.Endpoint = "http://127.0.0.1:9"
			c.Profile = newProfile(t, tt.profile)
			if !c.Anonymous {
				c.AccessKeyID = "key"
				c.SecretKey = "secret"
			}

			_, err := NewDriver(t.Context(), c)
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
		})
	}
}

// The error of NewDriver says how many digits the id of an account has.
func TestConfigExpectedBucketOwnerTooShort(t *testing.T) {
	_, err := NewDriver(t.Context(), Config{
		Bucket:              "photos",
		Region:              "eu-west-1",
		AccessKeyID:         "k",
		SecretKey:           "s",
		ExpectedBucketOwner: "12345678901", // 11 digits
	})
	require.ErrorContains(t, err, "12 digits")
}

// An address can set the KMS key, the bucket key and the expected bucket owner.
func TestAddressEncryption(t *testing.T) {
	u, err := url.Parse("s3://photos?region=eu-west-1&kms_key=" + url.QueryEscape(keyARN) +
		"&bucket_key=true&expected_bucket_owner=123456789012")
	require.NoError(t, err)
	c, err := parseAddress(u)
	require.NoError(t, err)
	require.Equal(t, Config{
		Bucket:              "photos",
		Region:              "eu-west-1",
		KMSKey:              keyARN,
		BucketKey:           true,
		ExpectedBucketOwner: "123456789012",
	}, c)
}

// secretsOf returns the forms in which a customer's key could be printed.
func secretsOf(raw []byte) []string {
	list := fmt.Sprint(raw)
	return []string{
		base64.StdEncoding.EncodeToString(raw),
		string(raw),
		list,
		strings.Trim(list, "[]"),
		fmt.Sprintf("%x", raw),
		fmt.Sprintf("%X", raw),
		fmt.Sprintf("%#v", raw),
	}
}

// requireNoSecret requires that a text contains none of the secrets.
func requireNoSecret(t *testing.T, secrets []string, text, name string) {
	t.Helper()
	for _, secret := range secrets {
		require.NotContains(t, text, secret, name)
	}
}

// Nothing that contains a customer's key prints it: no verb of fmt, no JSON, and no log.
func TestWithCustomerKeyIsNotPrinted(t *testing.T) {
	raw := newRawKey(t, 0)
	secrets := secretsOf(raw)
	value := customerkey.New("WithCustomerKey", raw)
	option := WithCustomerKey(raw)

	tests := []struct {
		name  string
		value any
	}{
		{name: "the value", value: value},
		{name: "the value without its pointer", value: *value},
		{name: "the option", value: option},
		{name: "the option for a source", value: WithSourceCustomerKey(raw)},
		{name: "a request", value: driver.PutRequest{Native: []any{value}}},
		{name: "options", value: []storage.UploadOption{option}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%t", "%p"} {
				requireNoSecret(t, secrets, fmt.Sprintf(verb, tt.value), verb)
			}

			text, _ := json.Marshal(tt.value) // Some of them have no JSON.
			requireNoSecret(t, secrets, string(text), "JSON")

			var logged bytes.Buffer
			slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "v", tt.value)
			slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "v", tt.value)
			requireNoSecret(t, secrets, logged.String(), "a log")
		})
	}
	require.Equal(t, "WithCustomerKey(REDACTED)", fmt.Sprintf("%+v", value))
}

// The error of a call with a customer's key does not contain the key.
func TestWithCustomerKeyIsNotInErrors(t *testing.T) {
	raw := newRawKey(t, 0)
	key := customerkey.New("WithCustomerKey", raw)
	server, d := newTLSStandIn(t)
	for name, call := range encryptedCalls() {
		for _, status := range []int{http.StatusBadRequest, http.StatusForbidden} {
			server.Respond(errorReply(status, "InvalidRequest",
				"The object was stored using a form of Server Side Encryption."))
			err := call.do(t.Context(), d, []any{key})
			require.Error(t, err, name)
			requireNoSecret(t, secretsOf(raw), fmt.Sprintf("%v %+v %#v", err, err, err), name)
		}
	}
}

// The journal that Upload keeps in the file of WithResume does not contain the customer's key.
func TestWithCustomerKeyIsNotInJournal(t *testing.T) {
	raw := newRawKey(t, 0)
	server, d := newTLSStandIn(t)

	// The server begins the upload and refuses its first part, so that the journal stays.
	server.Respond(
		encryptedCalls()["CreateMultipartUpload"].reply,
		errorReply(http.StatusForbidden, "AccessDenied", "no"),
	)

	const partSize, size = 5 << 20, 11 << 20
	path := filepath.Join(t.TempDir(), "journal")
	_, err := engine.New(d).Upload(t.Context(), "k", bytes.NewReader(make([]byte, size)),
		WithCustomerKey(raw),
		storage.WithResume(path),
		storage.WithPartSize(partSize))
	require.ErrorIs(t, err, storage.PermissionDenied)

	text, err := os.ReadFile(path)
	require.NoError(t, err)
	requireNoSecret(t, secretsOf(raw), string(text), "journal")
}

// Options with equal values have equal fingerprints. A resumed upload compares the fingerprints of its options with
// those of the first call.
func TestOptionFingerprintsOfEqualOptions(t *testing.T) {
	key := customerkey.New("WithCustomerKey", newRawKey(t, 0))
	sameKey := customerkey.New("WithCustomerKey", newRawKey(t, 0))
	require.Equal(t, key.Fingerprint(), sameKey.Fingerprint())
}

// Options with different values have different fingerprints.
func TestOptionFingerprints(t *testing.T) {
	const firstKey, secondKey = 0, 1 // of customerKeys
	options := []interface{ Fingerprint() string }{
		customerkey.New("WithCustomerKey", newRawKey(t, firstKey)),
		customerkey.New("WithCustomerKey", newRawKey(t, secondKey)),
		&option.KMSKey{ID: aws.String(keyARN)},
		&option.KMSKey{ID: aws.String("alias/x")},
		&option.KMSKey{Context: map[string]string{"a": "b"}},
		option.CannedACL("private"),
		option.CannedACL("public-read"),
		option.NewRequest(func(*awss3.PutObjectInput) {}),
	}
	fingerprints := map[string]bool{}
	for _, o := range options {
		fingerprints[o.Fingerprint()] = true
	}
	require.Len(t, fingerprints, len(options), "each fingerprint must be unique")
}

// If a request fails because of an encryption key, the hint names the option or key to correct.
func TestEncryptionErrorsNameKey(t *testing.T) {
	key := []any{customerkey.New("WithCustomerKey", newRawKey(t, 0))}
	withoutBody := func(status int) reply {
		return reply{Status: status, Header: map[string]string{"X-Amz-Request-Id": "R1"}}
	}
	const keyRequired = "The object was stored using a form of Server Side Encryption. " +
		"The correct parameters must be provided to retrieve the object."
	tests := map[string]struct {
		call     string
		native   []any
		reply    reply
		want     storage.Code
		wantHint string
	}{
		"a read without the key": {
			call:     "GetObject",
			reply:    errorReply(400, "InvalidRequest", keyRequired),
			want:     storage.InvalidArgument,
			wantHint: noCustomerKeyHint,
		},
		"a read with another key": {
			call:     "GetObject",
			native:   key,
			reply:    errorReply(403, "AccessDenied", "Access Denied"),
			want:     storage.PermissionDenied,
			wantHint: wrongCustomerKeyHint,
		},
		"a read of a plain object": {
			call:   "GetObject",
			native: key,
			reply: errorReply(400, "InvalidRequest",
				"The encryption parameters are not applicable to this object."),
			want:     storage.InvalidArgument,
			wantHint: wrongCustomerKeyHint,
		},
		"attributes without the key": {
			call:     "HeadObject",
			reply:    withoutBody(400),
			want:     storage.InvalidArgument,
			wantHint: noCustomerKeyHint,
		},
		"attributes with another key": {
			call:     "HeadObject",
			native:   key,
			reply:    withoutBody(403),
			want:     storage.PermissionDenied,
			wantHint: wrongCustomerKeyHint,
		},
		"a write where SSE-C is blocked": {
			call:     "PutObject",
			native:   key,
			reply:    errorReply(403, "AccessDenied", "Access Denied"),
			want:     storage.PermissionDenied,
			wantHint: blockedSSECHint,
		},
		"an upload in parts where SSE-C is blocked": {
			call:     "CreateMultipartUpload",
			native:   key,
			reply:    errorReply(403, "AccessDenied", "Access Denied"),
			want:     storage.PermissionDenied,
			wantHint: blockedSSECHint,
		},
		"a copy without the source's key": {
			call:     "CopyObject",
			reply:    errorReply(400, "InvalidRequest", keyRequired),
			want:     storage.InvalidArgument,
			wantHint: noCustomerKeyHint,
		},
		"a missing KMS key": {
			call:     "PutObject",
			reply:    errorReply(400, "KMS.NotFoundException", "Key does not exist"),
			want:     storage.InvalidArgument,
			wantHint: s3error.KMSKeyHint,
		},
		"a missing KMS key on MinIO": {
			call:     "PutObject",
			reply:    errorReply(404, "kms:KeyNotFound", "no such key"),
			want:     storage.InvalidArgument,
			wantHint: s3error.KMSKeyHint,
		},
		"a read with a missing KMS key on MinIO": {
			call:     "GetObject",
			reply:    errorReply(404, "kms:KeyNotFound", "no such key"),
			want:     storage.InvalidArgument,
			wantHint: s3error.KMSKeyHint,
		},
		"a copy with a missing KMS key on MinIO": {
			call:     "CopyObject",
			reply:    errorReply(404, "kms:KeyNotFound", "no such key"),
			want:     storage.InvalidArgument,
			wantHint: s3error.KMSKeyHint,
		},
		"an upload in parts with a missing KMS key on MinIO": {
			call:     "CreateMultipartUpload",
			reply:    errorReply(404, "kms:KeyNotFound", "no such key"),
			want:     storage.InvalidArgument,
			wantHint: s3error.KMSKeyHint,
		},
		"a disabled KMS key": {
			call:     "GetObject",
			reply:    errorReply(400, "KMS.DisabledException", "disabled"),
			want:     storage.PermissionDenied,
			wantHint: s3error.KMSStateHint,
		},
		"a failure within KMS": {
			call:  "PutObject",
			reply: errorReply(500, "KMS.KMSInternalException", "try again"),
			want:  storage.Unavailable,
		},
		"a failure within KMS, with the status 400": {
			call:  "GetObject",
			reply: errorReply(400, "KMS.DependencyTimeoutException", "try again"),
			want:  storage.Unavailable,
		},
		"too many requests to KMS": {
			call:  "GetObject",
			reply: errorReply(400, "KMS.ThrottlingException", "slow down"),
			want:  storage.RateLimited,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server, d := newTLSStandIn(t)
			server.Respond(tt.reply)
			err := encryptedCalls()[tt.call].do(t.Context(), d, tt.native)
			require.ErrorIs(t, err, tt.want)
			require.Equal(t, tt.wantHint, s3error.Of(err).Hint)
		})
	}
}

// Attrs.Encryption has the algorithm and the key id that the headers of the response name.
func TestAttrsEncryption(t *testing.T) {
	tests := map[string]struct {
		header map[string]string
		want   storage.Encryption
	}{
		"a key of the service": {
			header: map[string]string{sseHeader: "AES256"},
			want:   storage.Encryption{Algorithm: "AES256"},
		},
		"a KMS key": {
			header: map[string]string{sseHeader: "aws:kms", kmsKeyHeader: keyARN},
			want:   storage.Encryption{Algorithm: "aws:kms", KeyID: keyARN},
		},
		"a customer's key": {
			header: map[string]string{customerHeader: "AES256", customerMD5Header: customerKeys[0].md5},
			want:   storage.Encryption{Algorithm: "AES256", KeyID: customerKeys[0].md5},
		},
		"no header": {},
		"two layers with a KMS key": {
			header: map[string]string{sseHeader: "aws:kms:dsse", kmsKeyHeader: keyARN},
			want:   storage.Encryption{Algorithm: "aws:kms:dsse", KeyID: keyARN},
		},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			// Each response has the headers of the case.
			header := map[string]string{"ETag": etag, replicationHeader: "COMPLETED"}
			maps.Copy(header, tt.header)
			d := newStandIn(t, reply{Header: header}).openDriver(t, "aws")

			a, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
			require.NoError(t, err)
			require.Equal(t, tt.want, a.Encryption)
			require.Equal(t, "COMPLETED", a.ReplicationStatus)

			a, body, err := d.Get(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
			require.NoError(t, err)
			require.NoError(t, body.Close())
			require.Equal(t, tt.want, a.Encryption)
			require.Equal(t, "COMPLETED", a.ReplicationStatus)

			a, err = d.Put(t.Context(), wiretest.Put("k", "hello"))
			require.NoError(t, err)
			require.Equal(t, tt.want, a.Encryption)
		})
	}
}

// AttrsAs returns the output of the SDK for a read with WithNativeAttrs, and for no other read.
func TestWithNativeAttrsOutput(t *testing.T) {
	server := newStandIn(t, reply{
		Header: map[string]string{"ETag": etag, "X-Amz-Website-Redirect-Location": "/there"},
		Body:   "hello",
	})
	b := engine.New(server.openDriver(t, "aws"))

	// The redirect location is a header for which Attrs has no field.
	a, err := b.Attrs(t.Context(), "k", storage.WithNativeAttrs())
	require.NoError(t, err)
	head, ok := storage.AttrsAs[*awss3.HeadObjectOutput](a)
	require.True(t, ok)
	require.Equal(t, "/there", *head.WebsiteRedirectLocation)

	text, a, err := storage.ReadAll(t.Context(), b, "k", storage.WithNativeAttrs())
	require.NoError(t, err)
	require.Equal(t, "hello", string(text))
	get, ok := storage.AttrsAs[*awss3.GetObjectOutput](a)
	require.True(t, ok)
	require.Equal(t, "/there", *get.WebsiteRedirectLocation)
	require.Nil(t, get.Body)

	// Without the option, there is no output of the SDK.
	a, err = b.Attrs(t.Context(), "k")
	require.NoError(t, err)
	require.Nil(t, a.Native)
}
