package s3

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/s3/internal/option"
	"github.com/omnibucket/storage/providers/s3/internal/rawclient"
	"github.com/omnibucket/storage/providers/s3/internal/sdkcall"
)

// functionOf returns the function change as WithRequest stores it in its option.
func functionOf[I Input](change func(*I)) any {
	return &option.Request[I]{Change: change, ID: "test"}
}

// payerFunctions has a function for each call, which sets a field that each input has.
func payerFunctions() []any {
	return []any{
		functionOf(func(input *awss3.PutObjectInput) {
			input.RequestPayer = types.RequestPayerRequester
		}),
		functionOf(func(input *awss3.CreateMultipartUploadInput) {
			input.RequestPayer = types.RequestPayerRequester
		}),
		functionOf(func(input *awss3.UploadPartInput) {
			input.RequestPayer = types.RequestPayerRequester
		}),
		functionOf(func(input *awss3.CompleteMultipartUploadInput) {
			input.RequestPayer = types.RequestPayerRequester
		}),
		functionOf(func(input *awss3.CopyObjectInput) {
			input.RequestPayer = types.RequestPayerRequester
		}),
		functionOf(func(input *awss3.UploadPartCopyInput) {
			input.RequestPayer = types.RequestPayerRequester
		}),
		functionOf(func(input *awss3.GetObjectInput) {
			input.RequestPayer = types.RequestPayerRequester
		}),
		functionOf(func(input *awss3.HeadObjectInput) {
			input.RequestPayer = types.RequestPayerRequester
		}),
	}
}

// A function of WithRequest changes each request of its input type.
func TestWithRequestChangesRequests(t *testing.T) {
	t.Run("functions", func(t *testing.T) {
		server := newStandIn(t)
		d := server.openDriver(t, "aws")

		for name, call := range encryptedCalls() {
			for _, f := range payerFunctions() {
				method, _, _ := strings.Cut(name, " ")
				if f.(interface{ Target() reflect.Type }).Target().Name() != method+"Input" {
					continue
				}
				server.Respond(withLength(call.reply))
				require.NoError(t, call.do(t.Context(), d, []any{f}), name)

				require.Equal(t, sdkcall.Requester, server.Last(t).Header.Get(rawclient.PayerHeader), name)
				server.Respond(withLength(call.reply))
				require.NoError(t, call.do(t.Context(), d, nil), name)
				require.Empty(t, server.Last(t).Header.Get(rawclient.PayerHeader),
					"the next request has none")
			}
		}

		server.Respond(reply{Status: http.StatusNoContent})
		remove := &driver.DeleteRequest{Key: "k", Native: []any{functionOf(func(input *awss3.DeleteObjectInput) {
			input.MFA = aws.String("serial 123456")
		})}}
		require.NoError(t, d.Delete(t.Context(), remove))
		require.Equal(t, "serial 123456", server.Last(t).Header.Get("X-Amz-Mfa"))

		server.Respond(reply{Status: http.StatusNoContent})
		require.Equal(t, []error{nil}, d.DeleteBatch(t.Context(), []driver.DeleteRequest{*remove}))
		require.Equal(t, "DELETE", server.Last(t).Method, "a batch has no such input")
	})
}

// A function changes requests for tags and locks.
func TestWithRequestTagsAndLocks(t *testing.T) {
	server := newStandIn(t)
	d := server.openDriver(t, "aws")
	change := &driver.ChangeRequest{Key: "k", Tags: map[string]string{"a": "b"}, LegalHold: true}
	tests := map[string]struct {
		function any
		do       func(native []any) error
	}{
		"PutObjectTagging": {functionOf(func(input *awss3.PutObjectTaggingInput) {
			input.RequestPayer = types.RequestPayerRequester
		}), func(native []any) error {
			change.Native = native
			return d.SetTags(t.Context(), change)
		}},
		"PutObjectLegalHold": {functionOf(func(input *awss3.PutObjectLegalHoldInput) {
			input.RequestPayer = types.RequestPayerRequester
		}), func(native []any) error {
			change.Native = native
			return d.SetLegalHold(t.Context(), change)
		}},
		"PutObjectRetention": {functionOf(func(input *awss3.PutObjectRetentionInput) {
			input.RequestPayer = types.RequestPayerRequester
		}), func(native []any) error {
			change.Native = native
			return d.SetRetention(t.Context(), change)
		}},
		"GetObjectTagging": {functionOf(func(input *awss3.GetObjectTaggingInput) {
			input.RequestPayer = types.RequestPayerRequester
		}), func(native []any) error {
			_, err := d.Tags(t.Context(), &driver.GetRequest{Key: "k", Native: native})
			return err
		}},
	}
	for name, tt := range tests {
		server.Respond(xmlReply("<Tagging><TagSet></TagSet></Tagging>"))
		require.NoError(t, tt.do([]any{tt.function}), name)
		require.Equal(t, sdkcall.Requester, server.Last(t).Header.Get(rawclient.PayerHeader), name)
		n := len(server.Requests())
		require.ErrorIs(t, tt.do([]any{functionOf(func(*awss3.GetObjectInput) {})}), storage.Unsupported,
			name)
		require.Len(t, server.Requests(), n, name)
	}
}

// Options for PutObject and for CreateMultipartUpload may be given together. An upload calls those for the
// requests that it sends.
func TestWithRequestUpload(t *testing.T) {
	server := newStandIn(t)
	b := engine.New(server.openDriver(t, "aws"))
	var created, parts atomic.Int64
	opts := []storage.UploadOption{
		WithRequest(func(input *awss3.PutObjectInput) {
			input.WebsiteRedirectLocation = aws.String("/there")
		}),
		WithRequest(func(input *awss3.CreateMultipartUploadInput) {
			created.Add(1)
			input.WebsiteRedirectLocation = aws.String("/there")
		}),
		WithRequest(func(*awss3.UploadPartInput) {
			parts.Add(1)
		}),
	}
	server.Respond(stored)
	_, err := b.Upload(t.Context(), "k", strings.NewReader("hello"), opts...)
	require.NoError(t, err)

	require.Equal(t, "/there", server.Last(t).Header.Get("X-Amz-Website-Redirect-Location"))
	calls := encryptedCalls()
	server.Respond(calls["CreateMultipartUpload"].reply, withLength(stored), withLength(stored),
		calls["CompleteMultipartUpload"].reply)
	_, err = b.Upload(t.Context(), "k", bytes.NewReader(make([]byte, 6<<20)),
		append(opts, storage.WithPartSize(5<<20), storage.WithConcurrency(1))...)
	require.NoError(t, err)
	require.EqualValues(t, 1, created.Load())
	require.EqualValues(t, 2, parts.Load())
}

// If a call can never use a function of WithRequest, it fails with Unsupported.
func TestWithRequestIgnoredUnsupported(t *testing.T) {
	put := WithRequest(func(*awss3.PutObjectInput) {})
	get := WithRequest(func(*awss3.GetObjectInput) {})
	head := WithRequest(func(*awss3.HeadObjectInput) {})
	part := WithRequest(func(*awss3.UploadPartInput) {})
	remove := WithRequest(func(*awss3.DeleteObjectInput) {})
	big := bytes.NewReader(make([]byte, 6<<20))
	ctx := context.Background()

	tests := map[string]struct {
		do   func(b storage.Bucket) error
		want storage.Code
	}{
		"PutObject, and the upload has parts": {func(b storage.Bucket) error {
			_, err := b.Upload(ctx, "k", big, put, storage.WithPartSize(5<<20))
			return err
		}, storage.Unsupported},
		"GetObject at an upload": {func(b storage.Bucket) error {
			_, err := b.Upload(ctx, "k", strings.NewReader("x"), get)
			return err
		}, storage.Unsupported},
		"UploadPart at a small upload": {func(b storage.Bucket) error {
			_, err := b.Upload(ctx, "k", strings.NewReader("x"), part)
			return err
		}, ""},
		"HeadObject at an upload, for a response that was lost": {func(b storage.Bucket) error {
			_, err := b.Upload(ctx, "k", strings.NewReader("x"), head)
			return err
		}, ""},
		"GetObject at attributes": {func(b storage.Bucket) error {
			_, err := b.Attrs(ctx, "k", get)
			return err
		}, storage.Unsupported},
		"PutObject at attributes": {func(b storage.Bucket) error {
			_, err := b.Attrs(ctx, "k", put)
			return err
		}, storage.Unsupported},
		"HeadObject at a download": {func(b storage.Bucket) error {
			_, _, err := storage.ReadAll(ctx, b, "k", head)
			return err
		}, storage.Unsupported},
		"both at a download": {func(b storage.Bucket) error {
			_, _, err := storage.ReadAll(ctx, b, "k", head, get)
			return err
		}, ""},
		"GetObject at a reader that asks for attributes": {func(b storage.Bucket) error {
			_, err := storage.NewReaderAt(ctx, b, "k", get)
			return err
		}, storage.Unsupported},
		"both at that reader": {func(b storage.Bucket) error {
			_, err := storage.NewReaderAt(ctx, b, "k", get, head)
			return err
		}, ""},
		"PutObject at a removal": {
			do:   func(b storage.Bucket) error { return b.Remove(ctx, "k", put) },
			want: storage.Unsupported,
		},
		"DeleteObject": {do: func(b storage.Bucket) error { return b.Remove(ctx, "k", remove) }},
		"at a signed upload": {func(b storage.Bucket) error {
			_, err := b.SignedUploadURL(ctx, "k", put)
			return err
		}, storage.Unsupported},
		"at a signed download": {func(b storage.Bucket) error {
			_, err := b.SignedDownloadURL(ctx, "k", get)
			return err
		}, storage.Unsupported},
		"at a form": {func(b storage.Bucket) error {
			_, err := storage.SignedUploadForm(ctx, b, "k", 0, 1, put)
			return err
		}, storage.Unsupported},
		"nil": {func(b storage.Bucket) error {
			_, err := b.Upload(ctx, "k", strings.NewReader("x"), WithRequest[awss3.PutObjectInput](nil))
			return err
		}, storage.InvalidArgument},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := newStandIn(t, stored)
			err := tt.do(engine.New(server.openDriver(t, "aws")))
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			if tt.want != "" {
				require.Empty(t, server.Requests())
			}
		})
	}
}

// A read that the engine makes within another operation ignores that operation's functions of WithRequest.
func TestWithRequestAuxiliaryReads(t *testing.T) {
	server := newStandIn(t, stored)
	d := server.openDriver(t, "aws")
	native := []any{functionOf(func(*awss3.PutObjectInput) {}), functionOf(func(*awss3.UploadPartInput) {})}
	_, body, err := d.Get(t.Context(), &driver.GetRequest{
		Key:       "k",
		Length:    -1,
		Native:    native,
		Auxiliary: true,
	})
	require.NoError(t, err)
	require.NoError(t, body.Close())
	_, err = d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1, Native: native, Auxiliary: true})
	require.NoError(t, err)
}

// An ACL is sent with writes.
func TestWithACLRequests(t *testing.T) {
	full := option.CannedACL(types.ObjectCannedACLBucketOwnerFullControl)
	t.Run("writes", func(t *testing.T) {
		server := newStandIn(t)
		d := server.openDriver(t, "aws")
		for name, call := range encryptedCalls() {
			server.Respond(withLength(call.reply))
			require.NoError(t, call.do(t.Context(), d, []any{full}), name)
			want := ""
			if call.writes {
				want = "bucket-owner-full-control"
			}
			require.Equal(t, want, server.Last(t).Header.Get("X-Amz-Acl"), name)
		}
	})
	tests := map[string]struct {
		profile string
		opts    []storage.UploadOption
		want    storage.Code
	}{
		"Amazon has no such list": {
			profile: "aws",
			opts:    []storage.UploadOption{WithACL("everyone")},
			want:    storage.InvalidArgument,
		},
		"beside public reads": {
			profile: "aws",
			opts:    []storage.UploadOption{WithACL("private"), storage.WithPublicRead()},
			want:    storage.InvalidArgument,
		},
		"public reads twice": {
			profile: "aws",
			opts:    []storage.UploadOption{WithACL("public-read"), storage.WithPublicRead()},
		},
		"two lists": {
			profile: "aws",
			opts:    []storage.UploadOption{WithACL("private"), WithACL("bucket-owner-read")},
			want:    storage.InvalidArgument,
		},
		"the server has no such lists": {
			profile: "minio",
			opts:    []storage.UploadOption{WithACL("private")},
			want:    storage.Unsupported,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := newStandIn(t, stored)
			_, err := engine.New(server.openDriver(t, tt.profile)).Upload(t.Context(), "k",
				strings.NewReader("x"), tt.opts...)
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
		})
	}
}

// Native options are part of signed URLs.
func TestSignedURLNativeOptions(t *testing.T) {
	server := &standIn{wiretest.NewTLSServer(t)}
	open := func(change func(*Config)) storage.Bucket {
		return engine.New(server.openDriver(t, "aws", func(c *Config) {
			c.HTTPClient = server.Client()
			change(c)
		}))
	}
	bucket := open(func(*Config) {})
	encrypted := open(func(c *Config) {
		c.KMSKey = keyARN
		c.BucketKey = true
		c.ExpectedBucketOwner = "123456789012"
	})
	key := WithCustomerKey(newRawKey(t, 0))
	inKMS := map[string]string{sseHeader: "aws:kms", kmsKeyHeader: keyARN, bucketKeyHeader: "true"}
	customers := customerHeaders("X-Amz-Server-Side-Encryption-Customer", 0)
	ctx := t.Context()
	upload := func(b storage.Bucket, opts ...storage.SignedUploadOption) func() (*storage.SignedURL, error) {
		return func() (*storage.SignedURL, error) { return b.SignedUploadURL(ctx, "k", opts...) }
	}
	download := func(b storage.Bucket, opts ...storage.SignedDownloadOption) func() (*storage.SignedURL, error) {
		return func() (*storage.SignedURL, error) { return b.SignedDownloadURL(ctx, "k", opts...) }
	}

	tests := map[string]struct {
		sign        func() (*storage.SignedURL, error)
		header      map[string]string
		acl, owners string
	}{
		"an upload": {sign: upload(bucket), header: map[string]string{}},
		"an upload by KMS": {
			sign:   upload(bucket, WithKMSKey(keyARN)),
			header: map[string]string{sseHeader: "aws:kms", kmsKeyHeader: keyARN},
		},
		"an upload to an encrypted bucket": {sign: upload(encrypted), header: inKMS, owners: "123456789012"},
		"an upload with a customer's key":  {sign: upload(bucket, key), header: customers},
		"an upload with a list": {
			sign:   upload(bucket, WithACL("bucket-owner-read")),
			header: map[string]string{},
			acl:    "bucket-owner-read",
		},
		"a download": {sign: download(bucket), header: map[string]string{}},
		"a download of an encrypted bucket": {
			sign:   download(encrypted),
			header: map[string]string{},
			owners: "123456789012",
		},
		"a download with a customer's key": {sign: download(bucket, key), header: customers},
		"attributes with a customer's key": {
			sign:   download(bucket, key, storage.WithMethod(http.MethodHead)),
			header: customers,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			signedURL, err := tt.sign()
			require.NoError(t, err)
			require.Equal(t, tt.header, sseHeaders(signedURL.Header))
			require.Equal(t, tt.acl, signedURL.Header.Get("X-Amz-Acl"))

			u, err := url.Parse(signedURL.URL)
			require.NoError(t, err)
			require.Equal(t, tt.owners, u.Query().Get(sdkcall.OwnerQuery))

			names := strings.Split(u.Query().Get("X-Amz-SignedHeaders"), ";")
			for name := range signedURL.Header {
				require.Contains(t, names, strings.ToLower(name))
			}
			require.NotContains(t, signedURL.String()+signedURL.URL, customerKeys[0].key)
		})
	}
	require.False(t, storage.Supports(encrypted, storage.SignedForms), "a form cannot name an owner")

	form, err := storage.SignedUploadForm(ctx, open(func(c *Config) {
		c.KMSKey = keyARN
	}), "k", 0, 10, WithACL("bucket-owner-read"))
	require.NoError(t, err)
	require.Equal(t, "aws:kms", form.Fields["x-amz-server-side-encryption"])
	require.Equal(t, keyARN, form.Fields["x-amz-server-side-encryption-aws-kms-key-id"])
	require.Equal(t, "bucket-owner-read", form.Fields["acl"])

	form, err = storage.SignedUploadForm(ctx, bucket, "k", 0, 10, key)
	require.NoError(t, err)
	require.Equal(t, customerKeys[0].key, form.Fields["x-amz-server-side-encryption-customer-key"])
	require.NotContains(t, form.String(), customerKeys[0].key)

	based := engine.New(server.openDriver(t, "aws", func(c *Config) {
		c.HTTPClient = server.Client()
	}), storage.WithSigningBaseURL("http://files.example.com"))
	_, err = based.SignedDownloadURL(ctx, "k", key)
	require.ErrorIs(t, err, storage.InvalidArgument, "an address without TLS would show the key")
	_, err = storage.SignedUploadForm(ctx, based, "k", 0, 1, key)
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// The expected owner is sent with each request.
func TestExpectedBucketOwnerRequests(t *testing.T) {
	const owner = "123456789012"
	t.Run("objects", func(t *testing.T) {
		server := newStandIn(t)
		d := server.openDriver(t, "aws", func(c *Config) {
			c.ExpectedBucketOwner = owner
		})

		for name, call := range encryptedCalls() {
			server.Respond(withLength(call.reply))
			require.NoError(t, call.do(t.Context(), d, nil), name)
			require.Equal(t, owner, server.Last(t).Header.Get(rawclient.OwnerHeader), name)
			source := ""
			if name == "CopyObject" || name == "UploadPartCopy" {
				source = owner
			}
			require.Equal(t, source, server.Last(t).Header.Get("X-Amz-Source-Expected-Bucket-Owner"), name)
		}

		server.Respond(xmlReply(`<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>`))
		_, err := d.List(t.Context(), &driver.ListRequest{Limit: 1})
		require.NoError(t, err)
		require.Equal(t, owner, server.Last(t).Header.Get(rawclient.OwnerHeader), "ListObjectsV2")
	})
	t.Run("not with requests that name no bucket's owner", func(t *testing.T) {
		server := newStandIn(t, xmlReply(`<ListAllMyBucketsResult><Buckets></Buckets></ListAllMyBucketsResult>`))
		p, _ := NamedProfile("aws")
		s, err := NewServiceDriver(t.Context(), Config{
			Endpoint:            server.URL,
			Profile:             &p,
			AccessKeyID:         "k",
			SecretKey:           "s",
			ExpectedBucketOwner: owner,
		})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		_, _, err = s.ListBuckets(t.Context(), "")
		require.NoError(t, err)

		require.Empty(t, server.Last(t).Header.Get(rawclient.OwnerHeader))
	})
	t.Run("copies between buckets of two owners are streamed", func(t *testing.T) {
		server := newStandIn(t)
		one := server.openDriver(t, "aws", func(c *Config) {
			c.ExpectedBucketOwner = owner
		})
		two := server.openDriver(t, "aws", func(c *Config) {
			c.ExpectedBucketOwner = "210987654321"
		})
		require.NotEqual(t, one.Locate("k").Account, two.Locate("k").Account)
		require.Equal(t, one.Locate("k").Account, server.openDriver(t, "aws", func(c *Config) {
			c.ExpectedBucketOwner = owner
		}).Locate("k").Account)
	})
}
