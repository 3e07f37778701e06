package s3_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/storagetest/vendedtest"
)

type ask = func(ctx context.Context, key string) (*storage.VendedCredentials, error)

// newVendedStore returns a store whose bucket is on a server with sessions.
func newVendedStore(t *testing.T, c s3.Config) vendedtest.Store {
	open := func(t *testing.T, c s3.Config) storage.Bucket {
		b, err := s3.Open(t.Context(), c)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
		return b
	}
	return vendedtest.Store{
		Program: open(t, c),
		Client: func(t *testing.T, ask ask) storage.Bucket {
			client := c
			client.AccessKeyID, client.SecretKey, client.CredentialsFor = "", "", s3.Vended(ask)
			return open(t, client)
		},
	}
}

// startServerWithClock starts our server with a bucket "photos", a second bucket "other" and a
// clock that advance moves.
func startServerWithClock(t *testing.T) (server *s3server.Server, c s3.Config, advance func(time.Duration)) {
	var ahead atomic.Int64
	server, err := s3server.Start(s3server.Config{
		Buckets: []string{"photos", "other"},
		Now:     func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
	})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	profile, _ := s3.NamedProfile("omnibucket")
	credential := server.Credentials()
	return server, s3.Config{
			Bucket:      "photos",
			Region:      "us-east-1",
			Endpoint:    server.URL,
			Profile:     &profile,
			AccessKeyID: credential.AccessKeyID,
			SecretKey:   credential.SecretKey,
			HTTPClient:  withoutKeepAlive(),
		}, func(d time.Duration) {
			ahead.Add(int64(d))
		}
}

// The credentials that Vend returns have their rights, and no others, on our server.
func TestVendOnS3server(t *testing.T) {
	vendedtest.Run(t, func(t *testing.T) vendedtest.Store {
		_, c, advance := startServerWithClock(t)
		s := newVendedStore(t, c)
		s.Advance = advance
		return s
	})
}

func minioConfig(t *testing.T, versioned bool) s3.Config {
	server := needServer(t, "minio")
	profile, _ := s3.NamedProfile("minio")
	return s3.Config{
		Bucket:      server.bucket(t, versioned),
		Region:      "us-east-1",
		Endpoint:    server.endpoint,
		Profile:     &profile,
		AccessKeyID: server.key,
		SecretKey:   server.secret,
		HTTPClient:  withoutKeepAlive(),
	}
}

// The credentials that Vend returns have their rights, and no others, on MinIO.
func TestVendOnMinIO(t *testing.T) {
	vendedtest.Run(t, func(t *testing.T) vendedtest.Store {
		s := newVendedStore(t, minioConfig(t, false))
		s.Rights = storage.Rights{Read: true, Write: true, Remove: true} // see TestVendRefusesListOnMinIO
		s.Permits = map[string]string{
			"an upload with tags": "MinIO permits tags of an upload to everybody who may upload",
		}
		return s
	})
}

// errNothing stands for a response that tells nothing.
var errNothing = errors.New("the response tells nothing")

// rawAttacks are requests that the driver never sends, with credentials for users/1/.
var rawAttacks = []struct {
	name string
	try  func(ctx context.Context, c *awss3.Client, bucket, other *string) error
}{
	{"a list of the buckets", func(ctx context.Context, c *awss3.Client, _, _ *string) error {
		output, err := c.ListBuckets(ctx, &awss3.ListBucketsInput{})
		if err == nil && len(output.Buckets) == 0 {
			return errNothing // MinIO returns a list without the buckets that the session may not see
		}
		return err
	}},
	{"a new bucket", func(ctx context.Context, c *awss3.Client, _, _ *string) error {
		_, err := c.CreateBucket(ctx, &awss3.CreateBucketInput{Bucket: aws.String("new-bucket-of-a-session")})
		return err
	}},
	{"another bucket", func(ctx context.Context, c *awss3.Client, _, other *string) error {
		_, err := c.GetObject(ctx, &awss3.GetObjectInput{Bucket: other, Key: aws.String("users/1/a")})
		return err
	}},
	{"a bucket that does not exist", func(ctx context.Context, c *awss3.Client, _, _ *string) error {
		_, err := c.ListObjectsV2(
			ctx,
			&awss3.ListObjectsV2Input{Bucket: aws.String("no-such-bucket"), Prefix: aws.String("users/1/")},
		)
		return err
	}},
	{"a head of the bucket", func(ctx context.Context, c *awss3.Client, bucket, _ *string) error {
		_, err := c.HeadBucket(ctx, &awss3.HeadBucketInput{Bucket: bucket})
		return err
	}},
	{"a listing of version 1", func(ctx context.Context, c *awss3.Client, bucket, _ *string) error {
		_, err := c.ListObjects(ctx, &awss3.ListObjectsInput{Bucket: bucket, Prefix: aws.String("users/")})
		return err
	}},
	{"the versions", func(ctx context.Context, c *awss3.Client, bucket, _ *string) error {
		_, err := c.ListObjectVersions(
			ctx,
			&awss3.ListObjectVersionsInput{Bucket: bucket, Prefix: aws.String("users/10/")},
		)
		return err
	}},
	{"the versions of the prefix", func(ctx context.Context, c *awss3.Client, bucket, _ *string) error {
		_, err := c.ListObjectVersions(
			ctx,
			&awss3.ListObjectVersionsInput{Bucket: bucket, Prefix: aws.String("users/1/")},
		)
		return err
	}},
	{"the uploads", func(ctx context.Context, c *awss3.Client, bucket, _ *string) error {
		_, err := c.ListMultipartUploads(
			ctx,
			&awss3.ListMultipartUploadsInput{Bucket: bucket, Prefix: aws.String("users/10/up")},
		)
		return err
	}},
	{"a batch", func(ctx context.Context, c *awss3.Client, bucket, _ *string) error {
		output, err := c.DeleteObjects(ctx, &awss3.DeleteObjectsInput{
			Bucket: bucket,
			Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("users/10/a")}}},
		})
		if err == nil && len(output.Errors) == 1 && len(output.Deleted) == 0 {
			return errNothing
		}
		return err
	}},
	{"a copied part", func(ctx context.Context, c *awss3.Client, bucket, _ *string) error {
		upload, err := c.CreateMultipartUpload(
			ctx,
			&awss3.CreateMultipartUploadInput{Bucket: bucket, Key: aws.String("users/1/up")},
		)
		if err != nil {
			return nil // this is permitted
		}
		_, err = c.UploadPartCopy(ctx, &awss3.UploadPartCopyInput{
			Bucket:     bucket,
			Key:        aws.String("users/1/up"),
			UploadId:   upload.UploadId,
			PartNumber: aws.Int32(1),
			CopySource: aws.String(*bucket + "/users/10/a"),
		})
		return err
	}},
	{"the policy of the bucket", func(ctx context.Context, c *awss3.Client, bucket, _ *string) error {
		_, err := c.PutBucketPolicy(ctx, &awss3.PutBucketPolicyInput{
			Bucket: bucket,
			Policy: aws.String("{}"),
		})
		return err
	}},
	{"the access list of an object", func(ctx context.Context, c *awss3.Client, bucket, _ *string) error {
		_, err := c.PutObjectAcl(
			ctx,
			&awss3.PutObjectAclInput{
				Bucket: bucket,
				Key:    aws.String("users/1/a"),
				ACL:    types.ObjectCannedACLPublicRead,
			},
		)
		return err
	}},
	{"the bucket itself", func(ctx context.Context, c *awss3.Client, _, other *string) error {
		_, err := c.DeleteBucket(ctx, &awss3.DeleteBucketInput{Bucket: other})
		return err
	}},
}

// If a client with vended credentials sends requests that the driver does not send, the server refuses them.
func TestVendRefusesOtherRequests(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) (s3.Config, string){
		"our server": func(t *testing.T) (s3.Config, string) {
			_, c, _ := startServerWithClock(t)
			return c, "other"
		},
		"minio": func(t *testing.T) (s3.Config, string) {
			return minioConfig(t, false), minioConfig(t, false).Bucket
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, other := open(t)
			s := newVendedStore(t, c)
			for _, key := range []string{"users/1/a", "users/10/a"} {
				_, err := s.Program.Upload(t.Context(), key, strings.NewReader(key))
				require.NoError(t, err)
			}

			rights := storage.Rights{Read: true, List: name != "minio", Write: true, Remove: true}
			v, err := storage.Vend(t.Context(), s.Program, "users/1/", rights, time.Hour)
			require.NoError(t, err)
			raw := awss3.New(awss3.Options{
				HTTPClient:   withoutKeepAlive(),
				Region:       "us-east-1",
				BaseEndpoint: &c.Endpoint,
				UsePathStyle: true,
				Credentials: credentials.NewStaticCredentialsProvider(v.AccessKeyID, v.SecretKey,
					v.SessionToken),
				Retryer: aws.NopRetryer{},
			})
			output, err := raw.GetObject(
				t.Context(),
				&awss3.GetObjectInput{Bucket: &c.Bucket, Key: aws.String("users/1/a")},
			)
			require.NoError(t, err, "the credentials work")
			require.NoError(t, output.Body.Close())

			for _, a := range rawAttacks {
				require.Error(t, a.try(t.Context(), raw, &c.Bucket, &other), a.name)
			}

			text, _, err := storage.ReadAll(t.Context(), s.Program, "users/10/a")
			require.NoError(t, err)
			require.Equal(t, "users/10/a", string(text))
		})
	}
}

// TestVendSendsOneRequestToSTS pins the request to AWS.
func TestVendSendsOneRequestToSTS(t *testing.T) {
	tests := []struct{ name, region, host, arn string }{
		{name: "aws", region: "eu-west-1", host: "sts.eu-west-1.amazonaws.com", arn: "arn:aws:s3:::photos"},
		{
			name:   "China",
			region: "cn-north-1",
			host:   "sts.cn-north-1.amazonaws.com.cn",
			arn:    "arn:aws-cn:s3:::photos",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var host, policy, role, seconds string
			b, err := s3.Open(t.Context(), s3.Config{
				Bucket:      "photos",
				Region:      tt.region,
				AccessKeyID: "id",
				SecretKey:   "secret",
				VendRole:    "arn:aws:iam::111122223333:role/photos",
				HTTPClient: &http.Client{Transport: stsAnswer(func(r *http.Request) string {
					require.NoError(t, r.ParseForm())
					host, policy, role = r.URL.Host, r.PostForm.Get("Policy"), r.PostForm.Get("RoleArn")
					seconds = r.PostForm.Get("DurationSeconds")
					return sessionResponse
				})},
			})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, storage.Close(b)) })

			v, err := storage.Vend(t.Context(), b, "users/é$1/", storage.Rights{Read: true, List: true},
				time.Hour)
			require.NoError(t, err)
			require.Equal(t, tt.host, host)
			require.Equal(t, "arn:aws:iam::111122223333:role/photos", role)
			require.Equal(t, "3600", seconds)
			require.JSONEq(t, `{"Version": "2012-10-17", "Statement": [
				{
					"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": "`+tt.arn+`",
					"Condition": {"StringLike": {"s3:prefix": "users/é${$}1/*"}}
				},
				{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "`+tt.arn+`/users/é${$}1/*"}]}`, policy)
			require.NotContains(t, policy, "é", "STS refuses characters above U+00FF, so all are escaped")
			require.Equal(t, &storage.VendedCredentials{
				Provider:     "s3",
				Bucket:       "photos",
				Prefix:       "users/é$1/",
				Expires:      time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
				AccessKeyID:  "ASIA",
				SecretKey:    "s",
				SessionToken: "t",
			}, v)
		})
	}
}

// An stsAnswer answers requests to STS.
type stsAnswer func(*http.Request) string

func (answer stsAnswer) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	_, _ = w.WriteString(answer(r))
	return w.Result(), nil
}

const sessionResponse = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
	<AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
	<Expiration>2030-01-02T03:04:05Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`

// listingServer returns a server that has sessions, and lists the whole bucket if a request satisfies open.
func listingServer(open func(r *http.Request) bool) listingAnswer {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, _ = w.Write([]byte(sessionResponse))
			return
		}
		if open(r) {
			_, _ = w.Write([]byte(`<ListBucketResult><Name>photos</Name><KeyCount>0</KeyCount></ListBucketResult>`))
			return
		}
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`<Error><Code>AccessDenied</Code></Error>`))
	}
}

type listingAnswer func(http.ResponseWriter, *http.Request)

func (answer listingAnswer) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	answer(w, r)
	return w.Result(), nil
}

// If a server can be made to list the whole bucket, Vend gives no right to list a prefix.
func TestVendRefusesListOnServersThatDoNotLimitIt(t *testing.T) {
	tests := []struct {
		name string
		open func(r *http.Request) bool
		code storage.Code
	}{
		{name: "limited", open: func(*http.Request) bool { return false }},
		{
			name: "header",
			open: func(r *http.Request) bool { return r.Header.Get("Prefix") == "users/1/" },
			code: storage.Unsupported,
		},
		{
			name: "parameter",
			open: func(r *http.Request) bool { return r.URL.Query().Get("Prefix") == "users/1/" },
			code: storage.Unsupported,
		},
		{
			name: "two prefixes",
			open: func(r *http.Request) bool { return len(r.URL.Query()["prefix"]) == 2 },
			code: storage.Unsupported,
		},
		{
			name: "no prefix",
			open: func(r *http.Request) bool { return !r.URL.Query().Has("prefix") },
			code: storage.Unsupported,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			profile, _ := s3.NamedProfile("minio")
			b, err := s3.Open(t.Context(), s3.Config{
				Bucket:      "photos",
				Region:      "us-east-1",
				Endpoint:    "https://minio.example",
				Profile:     &profile,
				AccessKeyID: "id",
				SecretKey:   "secret",
				HTTPClient:  &http.Client{Transport: listingServer(tt.open)},
			})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, storage.Close(b)) })

			_, err = storage.Vend(t.Context(), b, "users/1/", storage.Rights{Read: true, List: true},
				time.Hour)
			require.Equal(t, tt.code, storage.CodeOf(err), "%v", err)
			_, err = storage.Vend(t.Context(), b, "users/1/", storage.Rights{Read: true}, time.Hour)
			require.NoError(t, err, "reads")
			_, err = storage.Vend(t.Context(), b, "", storage.Rights{List: true}, time.Hour)
			require.NoError(t, err, "the whole bucket")
		})
	}
}

// Vend refuses the right to list a prefix on MinIO. If this fails because MinIO limits listings, delete the
// sentence in docs/vend.md and docs/permissions.md.
func TestVendRefusesListOnMinIO(t *testing.T) {
	c := minioConfig(t, false)
	s := newVendedStore(t, c)
	_, err := storage.Vend(t.Context(), s.Program, "users/1/", storage.Rights{List: true}, time.Hour)
	require.Equal(t, storage.Unsupported, storage.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, "lists the whole bucket")
	_, err = storage.Vend(t.Context(), s.Program, "", storage.Rights{List: true}, time.Hour)
	require.NoError(t, err, "the whole bucket")
}

// On MinIO, a session whose policy limits s3:prefix can still list more. TestVendRefusesListOnMinIO
// depends on that.
func TestVendPolicyOnMinIOListsMore(t *testing.T) {
	c := minioConfig(t, false)
	s := newVendedStore(t, c)
	_, err := s.Program.Upload(t.Context(), "users/2/secret", strings.NewReader("text"))
	require.NoError(t, err)
	session := newSession(t, c, `{"Version": "2012-10-17", "Statement": [{
		"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": "arn:aws:s3:::`+c.Bucket+`",
		"Condition": {"StringLike": {"s3:prefix": "users/1/*"}}}]}`)

	tests := []struct {
		name, query string
		header      http.Header
		status      int
	}{
		{name: "another prefix", query: "list-type=2&prefix=users/2/", status: http.StatusForbidden},
		{name: "no prefix", query: "list-type=2", status: http.StatusForbidden},
		{
			name:   "a header",
			query:  "list-type=2",
			header: http.Header{"Prefix": {"users/1/"}},
			status: http.StatusOK,
		},
		{name: "a parameter", query: "list-type=2&Prefix=users/1/", status: http.StatusOK},
		{name: "two prefixes", query: "list-type=2&prefix=&prefix=users/1/", status: http.StatusOK},
		{name: "versions", query: "versions&Prefix=users/1/", status: http.StatusOK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
				c.Endpoint+"/"+c.Bucket+"?"+tt.query, nil)
			require.NoError(t, err)
			empty := sha256.Sum256(nil)
			hash := hex.EncodeToString(empty[:])
			r.Header.Set("X-Amz-Content-Sha256", hash)
			require.NoError(t, v4.NewSigner().SignHTTP(t.Context(), session, r, hash, "s3", "us-east-1",
				time.Now()))
			for name, values := range tt.header {
				r.Header[name] = values // not signed
			}

			resp, err := withoutKeepAlive().Do(r)
			require.NoError(t, err)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)

			require.NoError(t, resp.Body.Close())
			require.Equal(t, tt.status, resp.StatusCode, string(body))
			require.Equal(t, tt.status == http.StatusOK, strings.Contains(string(body), "users/2/secret"))
		})
	}
}

func newSession(t *testing.T, c s3.Config, policy string) aws.Credentials {
	t.Helper()
	client := sts.New(sts.Options{
		Region:       c.Region,
		BaseEndpoint: &c.Endpoint,
		HTTPClient:   c.HTTPClient,
		Credentials:  credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretKey, ""),
	})
	output, err := client.AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn:         aws.String("arn:aws:iam::123456789012:role/any"),
		RoleSessionName: aws.String("test"),
		Policy:          &policy,
	})
	require.NoError(t, err)
	session := output.Credentials
	return aws.Credentials{
		AccessKeyID:     *session.AccessKeyId,
		SecretAccessKey: *session.SecretAccessKey,
		SessionToken:    *session.SessionToken,
	}
}

// Vend fails with Internal if the session in the response has no key, secret or token, or has
// already expired.
func TestVendRefusesIncompleteSessions(t *testing.T) {
	for name, change := range map[string]*strings.Replacer{
		"no key":      strings.NewReplacer("ASIA", ""),
		"no secret":   strings.NewReplacer("<SecretAccessKey>s<", "<SecretAccessKey><"),
		"no token":    strings.NewReplacer("<SessionToken>t<", "<SessionToken><"),
		"a past end":  strings.NewReplacer("2030-01-02", "2020-01-02"),
		"no elements": strings.NewReplacer("<SessionToken>t</SessionToken>", ""),
	} {
		t.Run(name, func(t *testing.T) {
			b, err := s3.Open(t.Context(), s3.Config{
				Bucket:      "photos",
				Region:      "eu-west-1",
				AccessKeyID: "id",
				SecretKey:   "secret",
				VendRole:    "arn:aws:iam::111122223333:role/photos",
				HTTPClient: &http.Client{Transport: stsAnswer(func(*http.Request) string {
					return change.Replace(sessionResponse)
				})},
			})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, storage.Close(b)) })

			_, err = storage.Vend(t.Context(), b, "users/1/", storage.Rights{Read: true}, time.Hour)
			require.Equal(t, storage.Internal, storage.CodeOf(err), "%v", err)
		})
	}
}
