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

// A credentialSource returns the credentials for a key.
type credentialSource = func(ctx context.Context, key string) (*storage.VendedCredentials, error)

// newVendedStore returns a store whose bucket is on a server that has sessions. The store's Program
// has the keys of c, and its Client has only vended credentials.
func newVendedStore(t *testing.T, c s3.Config) vendedtest.Store {
	return vendedtest.Store{
		Program: openBucket(t, c),
		Client: func(t *testing.T, source credentialSource) storage.Bucket {
			client := c
			client.AccessKeyID = ""
			client.SecretKey = ""
			client.CredentialsFor = s3.Vended(source)
			return openBucket(t, client)
		},
	}
}

// startServerWithClock starts an s3server with the buckets "photos" and "other". It returns a
// configuration of "photos", and a function that moves the server's clock.
func startServerWithClock(t *testing.T) (c s3.Config, advance func(time.Duration)) {
	t.Helper()
	var ahead atomic.Int64
	server, err := s3server.Start(s3server.Config{
		Buckets: []string{"photos", "other"},
		Now:     func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
	})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	profile, _ := s3.NamedProfile("omnibucket")
	credential := server.Credentials()
	c = s3.Config{
		Bucket:      "photos",
		Region:      "us-east-1",
		Endpoint:    server.URL,
		Profile:     &profile,
		AccessKeyID: credential.AccessKeyID,
		SecretKey:   credential.SecretKey,
		HTTPClient:  withoutKeepAlive(),
	}
	return c, func(d time.Duration) {
		ahead.Add(int64(d))
	}
}

// On our server, the credentials that Vend returns have the requested rights, and no others.
func TestVendOnS3server(t *testing.T) {
	vendedtest.Run(t, func(t *testing.T) vendedtest.Store {
		c, advance := startServerWithClock(t)
		store := newVendedStore(t, c)
		store.Advance = advance
		return store
	})
}

// minioConfig returns the configuration of a new bucket on MinIO.
func minioConfig(t *testing.T, versioned bool) s3.Config {
	t.Helper()
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

// On MinIO, the credentials that Vend returns have the requested rights, and no others.
func TestVendOnMinIO(t *testing.T) {
	vendedtest.Run(t, func(t *testing.T) vendedtest.Store {
		store := newVendedStore(t, minioConfig(t, false))
		store.Rights = storage.Rights{Read: true, Write: true, Remove: true} // see TestVendRefusesListOnMinIO
		store.Permits = map[string]string{
			"an upload with tags": "MinIO permits tags of an upload to everybody who may upload",
		}
		return store
	})
}

// errNothing stands for a successful response that lacks everything that was asked for.
var errNothing = errors.New("the response contains nothing")

// rawAttacks are requests that the driver never sends, with credentials for users/1/.
var rawAttacks = []struct {
	name string
	try  func(ctx context.Context, c *awss3.Client, bucket, other *string) error
}{
	{
		name: "a list of the buckets",
		try: func(ctx context.Context, c *awss3.Client, _, _ *string) error {
			output, err := c.ListBuckets(ctx, &awss3.ListBucketsInput{})
			if err == nil && len(output.Buckets) == 0 {
				return errNothing // MinIO returns a list without the buckets that the session may not see
			}
			return err
		},
	},
	{
		name: "a new bucket",
		try: func(ctx context.Context, c *awss3.Client, _, _ *string) error {
			_, err := c.CreateBucket(ctx, &awss3.CreateBucketInput{Bucket: aws.String("new-bucket-of-a-session")})
			return err
		},
	},
	{
		name: "another bucket",
		try: func(ctx context.Context, c *awss3.Client, _, other *string) error {
			_, err := c.GetObject(ctx, &awss3.GetObjectInput{Bucket: other, Key: aws.String("users/1/a")})
			return err
		},
	},
	{
		name: "a bucket that does not exist",
		try: func(ctx context.Context, c *awss3.Client, _, _ *string) error {
			_, err := c.ListObjectsV2(
				ctx,
				&awss3.ListObjectsV2Input{Bucket: aws.String("no-such-bucket"), Prefix: aws.String("users/1/")},
			)
			return err
		},
	},
	{
		name: "a head of the bucket",
		try: func(ctx context.Context, c *awss3.Client, bucket, _ *string) error {
			_, err := c.HeadBucket(ctx, &awss3.HeadBucketInput{Bucket: bucket})
			return err
		},
	},
	{
		name: "a listing of version 1",
		try: func(ctx context.Context, c *awss3.Client, bucket, _ *string) error {
			_, err := c.ListObjects(ctx, &awss3.ListObjectsInput{Bucket: bucket, Prefix: aws.String("users/")})
			return err
		},
	},
	{
		name: "the versions",
		try: func(ctx context.Context, c *awss3.Client, bucket, _ *string) error {
			_, err := c.ListObjectVersions(
				ctx,
				&awss3.ListObjectVersionsInput{Bucket: bucket, Prefix: aws.String("users/10/")},
			)
			return err
		},
	},
	{
		name: "the versions of the prefix",
		try: func(ctx context.Context, c *awss3.Client, bucket, _ *string) error {
			_, err := c.ListObjectVersions(
				ctx,
				&awss3.ListObjectVersionsInput{Bucket: bucket, Prefix: aws.String("users/1/")},
			)
			return err
		},
	},
	{
		name: "the uploads",
		try: func(ctx context.Context, c *awss3.Client, bucket, _ *string) error {
			_, err := c.ListMultipartUploads(
				ctx,
				&awss3.ListMultipartUploadsInput{Bucket: bucket, Prefix: aws.String("users/10/up")},
			)
			return err
		},
	},
	{
		name: "a batch",
		try: func(ctx context.Context, c *awss3.Client, bucket, _ *string) error {
			output, err := c.DeleteObjects(ctx, &awss3.DeleteObjectsInput{
				Bucket: bucket,
				Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("users/10/a")}}},
			})
			if err == nil && len(output.Errors) == 1 && len(output.Deleted) == 0 {
				return errNothing
			}
			return err
		},
	},
	{
		name: "a copied part",
		try: func(ctx context.Context, c *awss3.Client, bucket, _ *string) error {
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
		},
	},
	{
		name: "the policy of the bucket",
		try: func(ctx context.Context, c *awss3.Client, bucket, _ *string) error {
			_, err := c.PutBucketPolicy(ctx, &awss3.PutBucketPolicyInput{
				Bucket: bucket,
				Policy: aws.String("{}"),
			})
			return err
		},
	},
	{
		name: "the access list of an object",
		try: func(ctx context.Context, c *awss3.Client, bucket, _ *string) error {
			_, err := c.PutObjectAcl(
				ctx,
				&awss3.PutObjectAclInput{
					Bucket: bucket,
					Key:    aws.String("users/1/a"),
					ACL:    types.ObjectCannedACLPublicRead,
				},
			)
			return err
		},
	},
	{
		name: "the bucket itself",
		try: func(ctx context.Context, c *awss3.Client, _, other *string) error {
			_, err := c.DeleteBucket(ctx, &awss3.DeleteBucketInput{Bucket: other})
			return err
		},
	},
}

// The server refuses requests outside of the prefix of vended credentials. Examples are a copy of a
// foreign object, a change of the bucket's policy, and the removal of another bucket. The SDK sends
// these requests, because the driver would not.
func TestVendRefusesOtherRequests(t *testing.T) {
	t.Run("our server", func(t *testing.T) {
		c, _ := startServerWithClock(t)
		allRights := storage.Rights{Read: true, List: true, Write: true, Remove: true}
		requireAttacksRefused(t, c, "other", allRights)
	})
	t.Run("minio", func(t *testing.T) {
		c := minioConfig(t, false)
		otherBucket := minioConfig(t, false).Bucket
		rightsOnMinIO := storage.Rights{Read: true, Write: true, Remove: true} // see TestVendRefusesListOnMinIO
		requireAttacksRefused(t, c, otherBucket, rightsOnMinIO)
	})
}

// requireAttacksRefused sends the requests of rawAttacks, and requires that all of them fail. Their
// credentials have rights below users/1/ in the bucket of c.
func requireAttacksRefused(t *testing.T, c s3.Config, otherBucket string, rights storage.Rights) {
	t.Helper()
	program := openBucket(t, c)
	for _, key := range []string{"users/1/a", "users/10/a"} {
		_, err := program.Upload(t.Context(), key, strings.NewReader(key))
		require.NoError(t, err)
	}
	vended, err := storage.Vend(t.Context(), program, "users/1/", rights, time.Hour)
	require.NoError(t, err)
	session := credentials.NewStaticCredentialsProvider(
		vended.AccessKeyID, vended.SecretKey, vended.SessionToken)

	// A client of the SDK can read below the prefix.
	client := awss3.New(awss3.Options{
		HTTPClient:   withoutKeepAlive(),
		Region:       "us-east-1",
		BaseEndpoint: &c.Endpoint,
		UsePathStyle: true,
		Credentials:  session,
		Retryer:      aws.NopRetryer{},
	})
	output, err := client.GetObject(t.Context(), &awss3.GetObjectInput{
		Bucket: &c.Bucket,
		Key:    aws.String("users/1/a"),
	})
	require.NoError(t, err)
	require.NoError(t, output.Body.Close())

	// All else is refused, and nothing has changed.
	for _, attack := range rawAttacks {
		require.Error(t, attack.try(t.Context(), client, &c.Bucket, &otherBucket), attack.name)
	}
	text, _, err := storage.ReadAll(t.Context(), program, "users/10/a")
	require.NoError(t, err)
	require.Equal(t, "users/10/a", string(text))
}

// Vend asks STS for a session of VendRole, with a policy that has only the rights for the prefix. The
// request goes to the STS of the bucket's region.
func TestVendSendsOneRequestToSTS(t *testing.T) {
	tests := []struct {
		name     string
		region   string
		wantHost string
		wantARN  string
	}{
		{name: "aws", region: "eu-west-1", wantHost: "sts.eu-west-1.amazonaws.com", wantARN: "arn:aws:s3:::photos"},
		{
			name:     "China",
			region:   "cn-north-1",
			wantHost: "sts.cn-north-1.amazonaws.com.cn",
			wantARN:  "arn:aws-cn:s3:::photos",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var req *http.Request
			b := openBucket(t, s3.Config{
				Bucket:      "photos",
				Region:      tt.region,
				AccessKeyID: "id",
				SecretKey:   "secret",
				VendRole:    "arn:aws:iam::111122223333:role/photos",
				HTTPClient: &http.Client{Transport: stsAnswer(func(r *http.Request) string {
					require.NoError(t, r.ParseForm())
					req = r
					return sessionResponse
				})},
			})

			rights := storage.Rights{Read: true, List: true}
			vended, err := storage.Vend(t.Context(), b, "users/é$1/", rights, time.Hour)
			require.NoError(t, err)

			// The request has the role and the policy.
			policy := req.PostForm.Get("Policy")
			require.Equal(t, tt.wantHost, req.URL.Host)
			require.Equal(t, "arn:aws:iam::111122223333:role/photos", req.PostForm.Get("RoleArn"))
			require.Equal(t, "3600", req.PostForm.Get("DurationSeconds"))
			require.JSONEq(t, `{"Version": "2012-10-17", "Statement": [
				{
					"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": "`+tt.wantARN+`",
					"Condition": {"StringLike": {"s3:prefix": "users/é${$}1/*"}}
				},
				{
					"Effect": "Allow", "Action": ["s3:GetObject"],
					"Resource": "`+tt.wantARN+`/users/é${$}1/*"
				}]}`, policy)
			require.NotContains(t, policy, "é", "STS refuses characters above U+00FF, so all are escaped")

			// The credentials are those of the response.
			require.Equal(t, &storage.VendedCredentials{
				Provider:     "s3",
				Bucket:       "photos",
				Prefix:       "users/é$1/",
				Expires:      time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
				AccessKeyID:  "ASIA",
				SecretKey:    "s",
				SessionToken: "t",
			}, vended)
		})
	}
}

// An stsAnswer is a transport that returns the body of a response to STS.
type stsAnswer func(*http.Request) string

func (answer stsAnswer) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	_, _ = w.WriteString(answer(r))
	return w.Result(), nil
}

const sessionResponse = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
	<AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
	<Expiration>2030-01-02T03:04:05Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`

// A listingServer is a transport to a server that has sessions. It lists the whole bucket if the
// function returns true for a request, and refuses all other requests.
type listingServer func(r *http.Request) bool

// RoundTrip answers a POST with a session. It answers a listing only if listsBucket reports true.
func (listsBucket listingServer) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	switch {
	case r.Method == http.MethodPost:
		_, _ = io.WriteString(w, sessionResponse)
	case listsBucket(r):
		_, _ = io.WriteString(w,
			`<ListBucketResult><Name>photos</Name><KeyCount>0</KeyCount></ListBucketResult>`)
	default:
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `<Error><Code>AccessDenied</Code></Error>`)
	}
	return w.Result(), nil
}

// Vend refuses the right to list a prefix if a session with this right can list the whole bucket.
// It still grants the right to read below the prefix, or to list the whole bucket.
func TestVendRefusesListOnServersThatDoNotLimitIt(t *testing.T) {
	tests := []struct {
		name        string
		listsBucket func(r *http.Request) bool // the server lists the whole bucket
		wantCode    storage.Code
	}{
		{name: "never", listsBucket: func(*http.Request) bool { return false }},
		{
			name:        "with a header Prefix",
			listsBucket: func(r *http.Request) bool { return r.Header.Get("Prefix") == "users/1/" },
			wantCode:    storage.Unsupported,
		},
		{
			name:        "with a parameter Prefix",
			listsBucket: func(r *http.Request) bool { return r.URL.Query().Get("Prefix") == "users/1/" },
			wantCode:    storage.Unsupported,
		},
		{
			name:        "with two prefixes",
			listsBucket: func(r *http.Request) bool { return len(r.URL.Query()["prefix"]) == 2 },
			wantCode:    storage.Unsupported,
		},
		{
			name:        "without a prefix",
			listsBucket: func(r *http.Request) bool { return !r.URL.Query().Has("prefix") },
			wantCode:    storage.Unsupported,
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			profile, _ := s3.NamedProfile("minio")
			b := openBucket(t, s3.Config{
				Bucket:      "photos",
				Region:      "us-east-1",
				Endpoint:    "https://minio.example",
				Profile:     &profile,
				AccessKeyID: "id",
				SecretKey:   "secret",
				HTTPClient:  &http.Client{Transport: listingServer(tt.listsBucket)},
			})

			readAndList := storage.Rights{Read: true, List: true}
			_, err := storage.Vend(t.Context(), b, "users/1/", readAndList, time.Hour)
			require.Equal(t, tt.wantCode, storage.CodeOf(err), "%v", err)

			// Vend grants rights for which the server need not limit listings to the prefix.
			_, err = storage.Vend(t.Context(), b, "users/1/", storage.Rights{Read: true}, time.Hour)
			require.NoError(t, err)
			_, err = storage.Vend(t.Context(), b, "", storage.Rights{List: true}, time.Hour)
			require.NoError(t, err)
		})
	}
}

// Vend refuses the right to list a prefix on MinIO, which cannot limit listings. If this test
// fails, MinIO has learned to limit them: then delete the sentence in docs/vend.md and
// docs/permissions.md.
func TestVendRefusesListOnMinIO(t *testing.T) {
	b := openBucket(t, minioConfig(t, false))
	_, err := storage.Vend(t.Context(), b, "users/1/", storage.Rights{List: true}, time.Hour)
	require.Equal(t, storage.Unsupported, storage.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, "lists the whole bucket")

	_, err = storage.Vend(t.Context(), b, "", storage.Rights{List: true}, time.Hour)
	require.NoError(t, err, "a session may list the whole bucket")
}

// On MinIO, a session whose policy limits the listed prefix can list other prefixes, too. That is why Vend refuses such
// a session (see TestVendRefusesListOnMinIO).
func TestVendPolicyOnMinIOListsMore(t *testing.T) {
	c := minioConfig(t, false)
	_, err := openBucket(t, c).Upload(t.Context(), "users/2/secret", strings.NewReader("text"))
	require.NoError(t, err)

	// The session may list only what is below "users/1/".
	session := newSession(t, c, `{"Version": "2012-10-17", "Statement": [{
		"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": "arn:aws:s3:::`+c.Bucket+`",
		"Condition": {"StringLike": {"s3:prefix": "users/1/*"}}}]}`)

	// The last four requests meet the condition of the policy by a value that does not limit the
	// listing.
	tests := []struct {
		name, query string
		header      http.Header
		wantStatus  int
	}{
		{name: "another prefix", query: "list-type=2&prefix=users/2/", wantStatus: http.StatusForbidden},
		{name: "no prefix", query: "list-type=2", wantStatus: http.StatusForbidden},
		{
			name:       "the prefix in a header",
			query:      "list-type=2",
			header:     http.Header{"Prefix": {"users/1/"}},
			wantStatus: http.StatusOK,
		},
		{
			name:       "the prefix in a parameter with another case",
			query:      "list-type=2&Prefix=users/1/",
			wantStatus: http.StatusOK,
		},
		{name: "two prefixes", query: "list-type=2&prefix=&prefix=users/1/", wantStatus: http.StatusOK},
		{name: "a listing of versions", query: "versions&Prefix=users/1/", wantStatus: http.StatusOK},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := newSignedGet(t, session, c.Endpoint+"/"+c.Bucket+"?"+tt.query)
			for name, values := range tt.header {
				req.Header[name] = values // after the signature, which does not cover it
			}

			resp, err := withoutKeepAlive().Do(req)
			require.NoError(t, err)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, tt.wantStatus, resp.StatusCode, string(body))

			// A successful listing shows the object below "users/2/".
			succeeds := tt.wantStatus == http.StatusOK
			require.Equal(t, succeeds, strings.Contains(string(body), "users/2/secret"))
		})
	}
}

// newSignedGet returns a GET that is signed with the credentials of a session.
func newSignedGet(t *testing.T, session aws.Credentials, address string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	emptySum := sha256.Sum256(nil)
	bodySum := hex.EncodeToString(emptySum[:])
	req.Header.Set("X-Amz-Content-Sha256", bodySum)
	err = v4.NewSigner().SignHTTP(t.Context(), session, req, bodySum, "s3", "us-east-1", time.Now())
	require.NoError(t, err)
	return req
}

// newSession asks MinIO for the credentials of a session with a policy.
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

// Vend fails with Internal if the response has no key, secret or token, or if the session has
// already expired.
func TestVendRefusesIncompleteSessions(t *testing.T) {
	for name, damage := range map[string]*strings.Replacer{
		"no key":      strings.NewReplacer("ASIA", ""),
		"no secret":   strings.NewReplacer("<SecretAccessKey>s<", "<SecretAccessKey><"),
		"no token":    strings.NewReplacer("<SessionToken>t<", "<SessionToken><"),
		"an old end":  strings.NewReplacer("2030-01-02", "2020-01-02"),
		"no elements": strings.NewReplacer("<SessionToken>t</SessionToken>", ""),
	} {
		t.Run(name, func(t *testing.T) {
			b := openBucket(t, s3.Config{
				Bucket:      "photos",
				Region:      "eu-west-1",
				AccessKeyID: "id",
				SecretKey:   "secret",
				VendRole:    "arn:aws:iam::111122223333:role/photos",
				HTTPClient: &http.Client{Transport: stsAnswer(func(*http.Request) string {
					return damage.Replace(sessionResponse)
				})},
			})

			_, err := storage.Vend(t.Context(), b, "users/1/", storage.Rights{Read: true}, time.Hour)
			require.Equal(t, storage.Internal, storage.CodeOf(err), "%v", err)
		})
	}
}
