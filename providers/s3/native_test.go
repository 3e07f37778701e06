package s3

import (
	"bytes"
	"net/http"
	"net/url"
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

// functionOf wraps the function change as WithRequest does, and returns it.
func functionOf[I Input](change func(*I)) any {
	return &option.Request[I]{Change: change, ID: "test"}
}

// payerFunctions returns a function for each call of encryptedCalls. The keys are the names of the
// calls. Each function sets RequestPayer, a field that all inputs have.
func payerFunctions() map[string]any {
	return map[string]any{
		"PutObject": functionOf(func(input *awss3.PutObjectInput) {
			input.RequestPayer = types.RequestPayerRequester
		}),
		"CreateMultipartUpload": functionOf(func(input *awss3.CreateMultipartUploadInput) {
			input.RequestPayer = types.RequestPayerRequester
		}),
		"UploadPart": functionOf(func(input *awss3.UploadPartInput) {
			input.RequestPayer = types.RequestPayerRequester
		}),
		"CompleteMultipartUpload": functionOf(func(input *awss3.CompleteMultipartUploadInput) {
			input.RequestPayer = types.RequestPayerRequester
		}),
		"CopyObject": functionOf(func(input *awss3.CopyObjectInput) {
			input.RequestPayer = types.RequestPayerRequester
		}),
		"UploadPartCopy": functionOf(func(input *awss3.UploadPartCopyInput) {
			input.RequestPayer = types.RequestPayerRequester
		}),
		"GetObject": functionOf(func(input *awss3.GetObjectInput) {
			input.RequestPayer = types.RequestPayerRequester
		}),
		"HeadObject": functionOf(func(input *awss3.HeadObjectInput) {
			input.RequestPayer = types.RequestPayerRequester
		}),
	}
}

// A call gets a function by WithRequest. The function changes the requests of this call that have
// its input type, but no request of the next call.
func TestWithRequestChangesRequests(t *testing.T) {
	server := newStandIn(t)
	d := server.openDriver(t, "aws")
	functions := payerFunctions()
	calls := encryptedCalls()

	// Each function belongs to a call that this test makes.
	for name := range functions {
		require.Contains(t, calls, name)
	}

	for name, call := range calls {
		method, _, _ := strings.Cut(name, " ") // "GetObject of a range" is a GetObject
		function, ok := functions[method]
		if !ok {
			continue
		}
		t.Run(name, func(t *testing.T) {
			// The function sets the header of a payer.
			server.Respond(withLength(call.reply))
			require.NoError(t, call.do(t.Context(), d, []any{function}))
			require.Equal(t, sdkcall.Requester, server.Last(t).Header.Get(rawclient.PayerHeader))

			// The next call has no function.
			server.Respond(withLength(call.reply))
			require.NoError(t, call.do(t.Context(), d, nil))
			require.Empty(t, server.Last(t).Header.Get(rawclient.PayerHeader), "the next call must not have the function")
		})
	}
}

// A function of WithRequest changes the request for a removal. DeleteBatch sends a request of its
// own for an object with such a function, because a batch has no input for the function.
func TestWithRequestChangesRemovals(t *testing.T) {
	server := newStandIn(t)
	d := server.openDriver(t, "aws")
	setMFA := functionOf(func(input *awss3.DeleteObjectInput) {
		input.MFA = aws.String("serial 123456")
	})
	remove := driver.DeleteRequest{Key: "k", Native: []any{setMFA}}

	// The function sets a header of the request: the MFA, which is the code of a device.
	server.Respond(reply{Status: http.StatusNoContent})
	require.NoError(t, d.Delete(t.Context(), &remove))
	require.Equal(t, "serial 123456", server.Last(t).Header.Get("X-Amz-Mfa"))

	// The request is a DELETE. A batch would be a POST.
	server.Respond(reply{Status: http.StatusNoContent})
	require.Equal(t, []error{nil}, d.DeleteBatch(t.Context(), []driver.DeleteRequest{remove}))
	require.Equal(t, "DELETE", server.Last(t).Method)
}

// The parameter of a function for WithRequest is the SDK's input of one request. The function
// changes this request of a call for tags or locks. If it is for another request, the call fails
// with Unsupported, and sends no request.
func TestWithRequestTagsAndLocks(t *testing.T) {
	server := newStandIn(t)
	d := server.openDriver(t, "aws")
	change := func(native []any) *driver.ChangeRequest {
		return &driver.ChangeRequest{
			Key:       "k",
			Tags:      map[string]string{"a": "b"},
			LegalHold: true,
			Native:    native,
		}
	}
	tests := []struct {
		name     string
		function any
		do       func(native []any) error
	}{
		{
			name: "PutObjectTagging",
			function: functionOf(func(input *awss3.PutObjectTaggingInput) {
				input.RequestPayer = types.RequestPayerRequester
			}),
			do: func(native []any) error { return d.SetTags(t.Context(), change(native)) },
		},
		{
			name: "PutObjectLegalHold",
			function: functionOf(func(input *awss3.PutObjectLegalHoldInput) {
				input.RequestPayer = types.RequestPayerRequester
			}),
			do: func(native []any) error { return d.SetLegalHold(t.Context(), change(native)) },
		},
		{
			name: "PutObjectRetention",
			function: functionOf(func(input *awss3.PutObjectRetentionInput) {
				input.RequestPayer = types.RequestPayerRequester
			}),
			do: func(native []any) error { return d.SetRetention(t.Context(), change(native)) },
		},
		{
			name: "GetObjectTagging",
			function: functionOf(func(input *awss3.GetObjectTaggingInput) {
				input.RequestPayer = types.RequestPayerRequester
			}),
			do: func(native []any) error {
				_, err := d.Tags(t.Context(), &driver.GetRequest{Key: "k", Native: native})
				return err
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server.Respond(xmlReply("<Tagging><TagSet></TagSet></Tagging>"))
			require.NoError(t, tt.do([]any{tt.function}))
			require.Equal(t, sdkcall.Requester, server.Last(t).Header.Get(rawclient.PayerHeader))

			// The function is for GetObject, which is another request.
			requests := len(server.Requests())
			other := functionOf(func(*awss3.GetObjectInput) {})
			require.ErrorIs(t, tt.do([]any{other}), storage.Unsupported)
			require.Len(t, server.Requests(), requests)
		})
	}
}

// Upload accepts functions of WithRequest for each request that it may send. It sends a PutObject
// for a small object, and multipart requests for a large one, and calls the functions for these
// requests.
func TestWithRequestUpload(t *testing.T) {
	server := newStandIn(t)
	b := engine.New(server.openDriver(t, "aws"))
	var creations, parts atomic.Int64
	opts := []storage.UploadOption{
		WithRequest(func(input *awss3.PutObjectInput) {
			input.WebsiteRedirectLocation = aws.String("/there")
		}),
		WithRequest(func(input *awss3.CreateMultipartUploadInput) {
			creations.Add(1)
			input.WebsiteRedirectLocation = aws.String("/there")
		}),
		WithRequest(func(*awss3.UploadPartInput) {
			parts.Add(1)
		}),
	}

	// A small object needs one request, PutObject.
	server.Respond(stored)
	_, err := b.Upload(t.Context(), "k", strings.NewReader("hello"), opts...)
	require.NoError(t, err)
	require.Equal(t, "/there", server.Last(t).Header.Get("X-Amz-Website-Redirect-Location"))

	// A large object needs a CreateMultipartUpload, two UploadPart and a completion. The server
	// responds to each of them as S3 does.
	calls := encryptedCalls()
	server.Respond(
		calls["CreateMultipartUpload"].reply,
		withLength(stored),
		withLength(stored),
		calls["CompleteMultipartUpload"].reply,
	)
	const partSize, size = 5 << 20, 6 << 20
	opts = append(opts, storage.WithPartSize(partSize), storage.WithConcurrency(1))
	_, err = b.Upload(t.Context(), "k", bytes.NewReader(make([]byte, size)), opts...)
	require.NoError(t, err)
	require.EqualValues(t, 1, creations.Load())
	require.EqualValues(t, 2, parts.Load())
}

// If a call can never use a function of WithRequest, it fails with Unsupported before it sends a request.
func TestWithRequestIgnoredUnsupported(t *testing.T) {
	put := WithRequest(func(*awss3.PutObjectInput) {})
	get := WithRequest(func(*awss3.GetObjectInput) {})
	head := WithRequest(func(*awss3.HeadObjectInput) {})
	ctx := t.Context()

	tests := map[string]func(b storage.Bucket) error{
		"PutObject for an upload in parts": func(b storage.Bucket) error {
			body := bytes.NewReader(make([]byte, 6<<20))
			_, err := b.Upload(ctx, "k", body, put, storage.WithPartSize(5<<20))
			return err
		},
		"GetObject for an upload": func(b storage.Bucket) error {
			_, err := b.Upload(ctx, "k", strings.NewReader("x"), get)
			return err
		},
		"GetObject for attributes": func(b storage.Bucket) error {
			_, err := b.Attrs(ctx, "k", get)
			return err
		},
		"PutObject for attributes": func(b storage.Bucket) error {
			_, err := b.Attrs(ctx, "k", put)
			return err
		},
		"HeadObject for a download": func(b storage.Bucket) error {
			_, _, err := storage.ReadAll(ctx, b, "k", head)
			return err
		},
		"GetObject for a ReaderAt, which sends a HEAD": func(b storage.Bucket) error {
			_, err := storage.NewReaderAt(ctx, b, "k", get)
			return err
		},
		"PutObject for a removal": func(b storage.Bucket) error { return b.Remove(ctx, "k", put) },
		"PutObject for a signed upload": func(b storage.Bucket) error {
			_, err := b.SignedUploadURL(ctx, "k", put)
			return err
		},
		"GetObject for a signed download": func(b storage.Bucket) error {
			_, err := b.SignedDownloadURL(ctx, "k", get)
			return err
		},
		"PutObject for a signed form": func(b storage.Bucket) error {
			_, err := storage.SignedUploadForm(ctx, b, "k", 0, 1, put)
			return err
		},
	}
	for name, do := range tests {
		t.Run(name, func(t *testing.T) {
			server := newStandIn(t, stored)
			err := do(engine.New(server.openDriver(t, "aws")))
			require.Equal(t, storage.Unsupported, storage.CodeOf(err), "%v", err)
			require.Empty(t, server.Requests())
		})
	}
}

// WithRequest with a nil function makes a call fail with InvalidArgument before it sends a request.
func TestWithRequestNilFunction(t *testing.T) {
	server := newStandIn(t, stored)
	b := engine.New(server.openDriver(t, "aws"))
	_, err := b.Upload(t.Context(), "k", strings.NewReader("x"), WithRequest[awss3.PutObjectInput](nil))
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%v", err)
	require.Empty(t, server.Requests())
}

// A call accepts a function of WithRequest for any request that it may send, even if it does not
// send that request this time.
func TestWithRequestPermitted(t *testing.T) {
	get := WithRequest(func(*awss3.GetObjectInput) {})
	head := WithRequest(func(*awss3.HeadObjectInput) {})
	part := WithRequest(func(*awss3.UploadPartInput) {})
	remove := WithRequest(func(*awss3.DeleteObjectInput) {})
	ctx := t.Context()

	// Each call gets a function for a request that it may send.
	tests := map[string]func(b storage.Bucket) error{
		"UploadPart for a small upload": func(b storage.Bucket) error {
			_, err := b.Upload(ctx, "k", strings.NewReader("x"), part)
			return err
		},
		"HeadObject for an upload, which sends it after a lost response": func(b storage.Bucket) error {
			_, err := b.Upload(ctx, "k", strings.NewReader("x"), head)
			return err
		},
		"HeadObject and GetObject for a download": func(b storage.Bucket) error {
			_, _, err := storage.ReadAll(ctx, b, "k", head, get)
			return err
		},
		"HeadObject and GetObject for a ReaderAt": func(b storage.Bucket) error {
			_, err := storage.NewReaderAt(ctx, b, "k", get, head)
			return err
		},
		"DeleteObject for a removal": func(b storage.Bucket) error { return b.Remove(ctx, "k", remove) },
	}
	for name, do := range tests {
		t.Run(name, func(t *testing.T) {
			server := newStandIn(t, stored)
			require.NoError(t, do(engine.New(server.openDriver(t, "aws"))))
		})
	}
}

// If the engine reads an object within another operation (Auxiliary), Get and Head accept and ignore the
// functions of WithRequest for that operation.
func TestWithRequestAuxiliaryReads(t *testing.T) {
	server := newStandIn(t, stored)
	d := server.openDriver(t, "aws")

	// A read would otherwise refuse these functions, which are for an upload.
	native := []any{
		functionOf(func(*awss3.PutObjectInput) {}),
		functionOf(func(*awss3.UploadPartInput) {}),
	}

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

// WithACL sends a canned ACL with each request that begins to write an object, and with no other.
func TestWithACLRequests(t *testing.T) {
	server := newStandIn(t)
	d := server.openDriver(t, "aws")
	acl := option.CannedACL(types.ObjectCannedACLBucketOwnerFullControl)

	// encryptedCalls has a call for each kind of request that may have encryption options.
	for name, call := range encryptedCalls() {
		t.Run(name, func(t *testing.T) {
			want := ""
			if call.writes {
				want = "bucket-owner-full-control"
			}
			server.Respond(withLength(call.reply))

			require.NoError(t, call.do(t.Context(), d, []any{acl}))
			require.Equal(t, want, server.Last(t).Header.Get("X-Amz-Acl"))
		})
	}
}

// WithACL refuses an ACL that is not one of Amazon's canned ACLs. It refuses any ACL on a server
// without ACLs. Together with WithPublicRead, it accepts only public-read.
func TestWithACLRefused(t *testing.T) {
	tests := []struct {
		name    string
		profile string
		opts    []storage.UploadOption
		want    storage.Code
	}{
		{
			name:    "Amazon has no such ACL",
			profile: "aws",
			opts:    []storage.UploadOption{WithACL("everyone")},
			want:    storage.InvalidArgument,
		},
		{
			name:    "WithPublicRead means another ACL",
			profile: "aws",
			opts:    []storage.UploadOption{WithACL("private"), storage.WithPublicRead()},
			want:    storage.InvalidArgument,
		},
		{
			name:    "WithPublicRead means the same",
			profile: "aws",
			opts:    []storage.UploadOption{WithACL("public-read"), storage.WithPublicRead()},
		},
		{
			name:    "two ACLs",
			profile: "aws",
			opts:    []storage.UploadOption{WithACL("private"), WithACL("bucket-owner-read")},
			want:    storage.InvalidArgument,
		},
		{
			name:    "the server has no canned ACLs",
			profile: "minio",
			opts:    []storage.UploadOption{WithACL("private")},
			want:    storage.Unsupported,
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := engine.New(newStandIn(t, stored).openDriver(t, tt.profile))
			_, err := b.Upload(t.Context(), "k", strings.NewReader("x"), tt.opts...)
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
		})
	}
}

// openTLSBucket opens the bucket "photos" at a server with TLS.
func openTLSBucket(t *testing.T, change func(*Config), opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	server := &standIn{wiretest.NewTLSServer(t)}
	d := server.openDriver(t, "aws", func(c *Config) {
		c.HTTPClient = server.Client()
		if change != nil {
			change(c)
		}
	})
	return engine.New(d, opts...)
}

// A signed upload has the headers of native options and of the Config in its signature. So the
// client must send these headers.
func TestSignedURLNativeOptions(t *testing.T) {
	const firstKey = 0 // of customerKeys
	key := WithCustomerKey(newRawKey(t, firstKey))
	kmsHeaders := map[string]string{sseHeader: "aws:kms", kmsKeyHeader: keyARN}
	tests := []struct {
		name       string
		opts       []storage.SignedUploadOption
		wantHeader map[string]string // about encryption
		wantACL    string
	}{
		{name: "no option", wantHeader: map[string]string{}},
		{
			name:       "a KMS key",
			opts:       []storage.SignedUploadOption{WithKMSKey(keyARN)},
			wantHeader: kmsHeaders,
		},
		{
			name:       "a customer's key",
			opts:       []storage.SignedUploadOption{key},
			wantHeader: customerHeaders(customerPrefix, firstKey),
		},
		{
			name:       "an ACL",
			opts:       []storage.SignedUploadOption{WithACL("bucket-owner-read")},
			wantHeader: map[string]string{},
			wantACL:    "bucket-owner-read",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			signedURL, err := openTLSBucket(t, nil).SignedUploadURL(t.Context(), "k", tt.opts...)
			require.NoError(t, err)
			require.Equal(t, tt.wantHeader, sseHeaders(signedURL.Header))
			require.Equal(t, tt.wantACL, signedURL.Header.Get("X-Amz-Acl"))
			require.Empty(t, ownerInURL(t, signedURL))
			requireHeadersSigned(t, signedURL)
		})
	}
}

// A signed download has the headers of a customer's key, and signs them.
func TestSignedDownloadNativeOptions(t *testing.T) {
	const firstKey = 0 // of customerKeys
	key := WithCustomerKey(newRawKey(t, firstKey))
	tests := []struct {
		name       string
		opts       []storage.SignedDownloadOption
		wantHeader map[string]string // about encryption
	}{
		{name: "no option", wantHeader: map[string]string{}},
		{
			name:       "a customer's key",
			opts:       []storage.SignedDownloadOption{key},
			wantHeader: customerHeaders(customerPrefix, firstKey),
		},
		{
			name:       "a customer's key for HEAD",
			opts:       []storage.SignedDownloadOption{key, storage.WithMethod(http.MethodHead)},
			wantHeader: customerHeaders(customerPrefix, firstKey),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			signedURL, err := openTLSBucket(t, nil).SignedDownloadURL(t.Context(), "k", tt.opts...)
			require.NoError(t, err)
			require.Equal(t, tt.wantHeader, sseHeaders(signedURL.Header))
			require.Empty(t, signedURL.Header.Get("X-Amz-Acl"))
			require.Empty(t, ownerInURL(t, signedURL))
			requireHeadersSigned(t, signedURL)
		})
	}
}

// A signed URL has the expected owner of the Config. Only a signed upload has the KMS key of the Config.
func TestSignedURLOfConfig(t *testing.T) {
	const owner = "123456789012"
	b := openTLSBucket(t, func(c *Config) {
		c.KMSKey = keyARN
		c.BucketKey = true
		c.ExpectedBucketOwner = owner
	})

	upload, err := b.SignedUploadURL(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, owner, ownerInURL(t, upload))
	require.Equal(t, map[string]string{
		sseHeader:       "aws:kms",
		kmsKeyHeader:    keyARN,
		bucketKeyHeader: "true",
	}, sseHeaders(upload.Header))
	require.Empty(t, upload.Header.Get("X-Amz-Acl"))
	requireHeadersSigned(t, upload)

	download, err := b.SignedDownloadURL(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, owner, ownerInURL(t, download))
	require.Empty(t, sseHeaders(download.Header))
	require.Empty(t, download.Header.Get("X-Amz-Acl"))
	requireHeadersSigned(t, download)
}

// ownerInURL returns the expected owner of the bucket in the query of a signed URL.
func ownerInURL(t *testing.T, signedURL *storage.SignedURL) string {
	t.Helper()
	u, err := url.Parse(signedURL.URL)
	require.NoError(t, err)
	return u.Query().Get(sdkcall.OwnerQuery)
}

// requireHeadersSigned requires that a signed URL signs all of its headers. The URL and its text
// must not contain the first key of customerKeys.
func requireHeadersSigned(t *testing.T, signedURL *storage.SignedURL) {
	t.Helper()
	u, err := url.Parse(signedURL.URL)
	require.NoError(t, err)
	signedNames := strings.Split(u.Query().Get("X-Amz-SignedHeaders"), ";")
	for name := range signedURL.Header {
		require.Contains(t, signedNames, strings.ToLower(name))
	}
	require.NotContains(t, signedURL.String(), customerKeys[0].key)
	require.NotContains(t, signedURL.URL, customerKeys[0].key)
}

// A signed form has the KMS key and the ACL as fields.
func TestSignedFormNativeOptions(t *testing.T) {
	withKMSKey := openTLSBucket(t, func(c *Config) {
		c.KMSKey = keyARN
	})

	form, err := storage.SignedUploadForm(t.Context(), withKMSKey, "k", 0, 10, WithACL("bucket-owner-read"))
	require.NoError(t, err)
	require.Equal(t, "aws:kms", form.Fields["x-amz-server-side-encryption"])
	require.Equal(t, keyARN, form.Fields["x-amz-server-side-encryption-aws-kms-key-id"])
	require.Equal(t, "bucket-owner-read", form.Fields["acl"])
}

// A signed form has the customer's key as a field. A printed form does not show the key.
func TestSignedFormCustomerKey(t *testing.T) {
	key := WithCustomerKey(newRawKey(t, 0))

	form, err := storage.SignedUploadForm(t.Context(), openTLSBucket(t, nil), "k", 0, 10, key)
	require.NoError(t, err)
	require.Equal(t, customerKeys[0].key, form.Fields["x-amz-server-side-encryption-customer-key"])
	require.NotContains(t, form.String(), customerKeys[0].key)
}

// A bucket with an expected owner signs no forms, because a form cannot name the owner.
func TestSignedFormExpectedOwner(t *testing.T) {
	withOwner := openTLSBucket(t, func(c *Config) {
		c.KMSKey = keyARN
		c.BucketKey = true
		c.ExpectedBucketOwner = "123456789012"
	})
	require.False(t, storage.Supports(withOwner, storage.SignedForms))
}

// Signing with a customer's key fails if the base URL has no TLS, because a client would show the
// key to everybody.
func TestSignedURLWithCustomerKeyWithoutTLS(t *testing.T) {
	b := openTLSBucket(t, nil, storage.WithSigningBaseURL("http://files.example.com"))
	key := WithCustomerKey(newRawKey(t, 0))

	_, err := b.SignedDownloadURL(t.Context(), "k", key)
	require.ErrorIs(t, err, storage.InvalidArgument)

	_, err = storage.SignedUploadForm(t.Context(), b, "k", 0, 1, key)
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// With Config.ExpectedBucketOwner, each request for a bucket or its objects has the owner in a
// header. A copy has another header for the owner of its source.
func TestExpectedBucketOwnerRequests(t *testing.T) {
	const owner = "123456789012"
	server := newStandIn(t)
	d := server.openDriver(t, "aws", func(c *Config) {
		c.ExpectedBucketOwner = owner
	})

	for name, call := range encryptedCalls() {
		t.Run(name, func(t *testing.T) {
			sourceOwner := ""
			if name == "CopyObject" || name == "UploadPartCopy" {
				sourceOwner = owner
			}
			server.Respond(withLength(call.reply))
			require.NoError(t, call.do(t.Context(), d, nil))

			header := server.Last(t).Header
			require.Equal(t, owner, header.Get(rawclient.OwnerHeader))
			require.Equal(t, sourceOwner, header.Get("X-Amz-Source-Expected-Bucket-Owner"))
		})
	}

	// A listing names the owner, too.
	server.Respond(xmlReply(`<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>`))
	_, err := d.List(t.Context(), &driver.ListRequest{Limit: 1})
	require.NoError(t, err)
	require.Equal(t, owner, server.Last(t).Header.Get(rawclient.OwnerHeader))
}

// A listing of an account's buckets names no expected owner, because ExpectedBucketOwner is about requests for one
// bucket.
func TestExpectedBucketOwnerOfService(t *testing.T) {
	server := newStandIn(t, xmlReply(`<ListAllMyBucketsResult><Buckets></Buckets></ListAllMyBucketsResult>`))
	service, err := NewServiceDriver(t.Context(), Config{
		Endpoint:            server.URL,
		Profile:             newProfile(t, "aws"),
		AccessKeyID:         "k",
		SecretKey:           "s",
		ExpectedBucketOwner: "123456789012",
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })

	_, _, err = service.ListBuckets(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, server.Last(t).Header.Get(rawclient.OwnerHeader))
}

// If two buckets have different expected owners, they belong to different accounts. The engine then
// passes the bytes of a copy through the process.
func TestExpectedBucketOwnersAreAccounts(t *testing.T) {
	server := newStandIn(t)
	accountOf := func(owner string) any {
		d := server.openDriver(t, "aws", func(c *Config) {
			c.ExpectedBucketOwner = owner
		})
		return d.Locate("k").Account
	}
	const owner, otherOwner = "123456789012", "210987654321"
	require.Equal(t, accountOf(owner), accountOf(owner))
	require.NotEqual(t, accountOf(owner), accountOf(otherOwner))
}
