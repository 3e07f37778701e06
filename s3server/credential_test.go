package s3server_test

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

const otherAccount = "210987654321"

// twoAccounts are the default key, a key of another account, and a read-only key of the
// default account.
var twoAccounts = []s3server.Credential{
	{AccessKeyID: s3server.DefaultAccessKeyID, SecretKey: s3server.DefaultSecretKey},
	{AccessKeyID: "AKIAOTHEROTHEROTHERO", SecretKey: "other-secret-key", Account: otherAccount},
	{AccessKeyID: "AKIAREADREADREADREAD", SecretKey: "read-secret-key", ReadOnly: true},
}

// clientOf returns a client that signs with one of the keys of twoAccounts.
func (s *store) clientOf(key int, options ...func(*s3.Options)) *s3.Client {
	c := twoAccounts[key]
	sign := func(o *s3.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretKey, c.SessionToken)
	}
	return s.client(append(options, sign)...)
}

// An account can use and list only its own buckets.
func TestAccountHasItsOwnBuckets(t *testing.T) {
	s := startServer(t, s3server.Config{Credentials: twoAccounts})
	other := s.clientOf(otherKey)
	s.put(t, "k", "content")

	// The other account cannot use the first account's bucket.
	_, err := other.GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
	})
	requireFailure(t, err, 403, "AccessDenied")
	_, err = other.PutObject(t.Context(), putInput("k", "x"))
	requireFailure(t, err, 403, "AccessDenied")
	_, err = other.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: aws.String(bucket)})
	requireFailure(t, err, 403, "AccessDenied")
	_, err = other.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)})
	requireFailure(t, err, 409, "BucketAlreadyExists")

	// A missing bucket belongs to no account.
	_, err = other.GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String("none"),
		Key:    aws.String("k"),
	})
	requireFailure(t, err, 404, "NoSuchBucket")

	// The first account cannot use a bucket of the other account.
	_, err = other.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("others")})
	require.NoError(t, err)
	_, err = s.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("others"), Key: aws.String("k")})
	requireFailure(t, err, 403, "AccessDenied")

	// Each account lists only its own buckets.
	for client, name := range map[*s3.Client]string{s.Client: bucket, other: "others"} {
		list, err := client.ListBuckets(t.Context(), &s3.ListBucketsInput{})
		require.NoError(t, err)
		require.Len(t, list.Buckets, 1)
		require.Equal(t, name, *list.Buckets[0].Name)

		acl, err := client.GetBucketAcl(t.Context(), &s3.GetBucketAclInput{Bucket: &name})
		require.NoError(t, err)
		require.Equal(t, list.Owner.ID, acl.Owner.ID)
	}

	// A request fails if it expects another owner of the bucket.
	_, err = s.GetObject(t.Context(), &s3.GetObjectInput{
		Bucket:              aws.String(bucket),
		Key:                 aws.String("k"),
		ExpectedBucketOwner: aws.String(otherAccount),
	})
	requireFailure(t, err, 403, "AccessDenied")
	_, err = other.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{
		Bucket:              aws.String("others"),
		ExpectedBucketOwner: aws.String(otherAccount),
	})
	require.NoError(t, err)
}

// A request can name the account that it expects to own the bucket, or to own the bucket of a
// copy's source. It fails if another account owns that bucket. The error codes of S3 are those in
// LocalStack's tests.
func TestExpectedOwnerIsAccount(t *testing.T) {
	s := startServer(t, s3server.Config{Credentials: twoAccounts})
	s.put(t, "k", "content")
	tests := []struct {
		name       string
		owner      string // the expected owner
		wantStatus int
		wantCode   string
	}{
		{name: "owner", owner: s3server.DefaultAccountID, wantStatus: http.StatusOK},
		{name: "other account", owner: otherAccount, wantStatus: http.StatusForbidden, wantCode: "AccessDenied"},
		{
			name:       "too short",
			owner:      "0000",
			wantStatus: http.StatusBadRequest,
			wantCode:   "InvalidBucketOwnerAWSAccountID",
		},
		{
			name:       "too long",
			owner:      "0000000000020",
			wantStatus: http.StatusBadRequest,
			wantCode:   "InvalidBucketOwnerAWSAccountID",
		},
		{
			name:       "letters",
			owner:      "abcd",
			wantStatus: http.StatusBadRequest,
			wantCode:   "InvalidBucketOwnerAWSAccountID",
		},
		{
			name:       "other characters",
			owner:      "aa000000000$",
			wantStatus: http.StatusBadRequest,
			wantCode:   "InvalidBucketOwnerAWSAccountID",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			requireResult := func(response *http.Response, body string) {
				t.Helper()
				require.Equal(t, tt.wantStatus, response.StatusCode, body)
				if tt.wantCode != "" {
					require.Equal(t, tt.wantCode, parseError(t, body).Code)
				}
			}

			// The bucket of the request must have the expected owner.
			response, body := s.sendSigned(t, "GET", "/photos/k", "", map[string]string{
				"x-amz-expected-bucket-owner": tt.owner,
			})
			requireResult(response, body)

			// The expected owner of a copy's source is checked in the same way.
			response, body = s.sendSigned(t, "PUT", "/photos/copy", "", map[string]string{
				"x-amz-source-expected-bucket-owner": tt.owner,
				"x-amz-copy-source":                  "/photos/k",
			})
			requireResult(response, body)
		})
	}
}

// A read-only credential can read and list, but cannot write, delete or create.
func TestAccountWithReadOnlyKey(t *testing.T) {
	s := startServer(t, s3server.Config{Credentials: twoAccounts})
	s.put(t, "k", "content")
	reader := s.clientOf(readOnlyKey)

	// The reader can read and list.
	output, err := reader.GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
	})
	require.NoError(t, err)
	require.Equal(t, "content", readBody(t, output.Body))
	_, err = reader.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	_, err = reader.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	require.NoError(t, err)

	// The reader cannot write, delete or create.
	_, err = reader.PutObject(t.Context(), putInput("k", "x"))
	requireFailure(t, err, 403, "AccessDenied")
	_, err = reader.DeleteObject(t.Context(), &s3.DeleteObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
	})
	requireFailure(t, err, 403, "AccessDenied")
	_, err = reader.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("new")})
	requireFailure(t, err, 403, "AccessDenied")

	// DeleteObjects itself succeeds, and its response reports the failure of each object.
	deleted, err := reader.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{
		Bucket: aws.String(bucket),
		Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("k")}}},
	})
	require.NoError(t, err)
	require.Len(t, deleted.Errors, 1)
	require.Equal(t, "AccessDenied", *deleted.Errors[0].Code)
	require.Equal(t, "content", s.get(t, "k"))
}

// An anonymous CreateBucket fails, whether or not the bucket exists.
func TestCreateBucketAnonymously(t *testing.T) {
	s := startServer(t, s3server.Config{})
	for _, name := range []string{"new", bucket} {
		t.Run(name, func(t *testing.T) {
			response, body := s.send(t, "PUT", s.server.URL+"/"+name, nil, nil)

			require.Equal(t, 403, response.StatusCode)
			require.Equal(t, "AccessDenied", parseError(t, body).Code)
		})
	}
}

// Without Config.Strict, the server accepts signatures for any region, unless Config.Region names one.
func TestLenientTakesAnyRegion(t *testing.T) {
	s := startLenient(t, s3server.Config{}, func(o *s3.Options) {
		o.Region = "eu-west-1"
	})
	s.put(t, "k", "content")

	tests := []struct {
		name            string
		location        string
		wantRegion      string // of the new bucket
		wantRepeatError string // the error code if the owner creates the bucket again
	}{
		{
			name:            "other location",
			location:        "eu-west-1",
			wantRegion:      "eu-west-1",
			wantRepeatError: "BucketAlreadyOwnedByYou",
		},
		// In the default region, the owner may create the bucket again.
		{name: "default location", location: "us-east-1", wantRegion: "us-east-1"},
		{name: "no location", location: "", wantRegion: "us-east-1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			input := &s3.CreateBucketInput{Bucket: aws.String("new")}
			if tt.location != "" {
				input.CreateBucketConfiguration = &types.CreateBucketConfiguration{
					LocationConstraint: types.BucketLocationConstraint(tt.location),
				}
			}

			_, err := s.CreateBucket(t.Context(), input)
			require.NoError(t, err)
			head, err := s.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("new")})
			require.NoError(t, err)
			require.Equal(t, tt.wantRegion, *head.BucketRegion)

			_, err = s.CreateBucket(t.Context(), input)
			if tt.wantRepeatError == "" {
				require.NoError(t, err)
			} else {
				requireFailure(t, err, 409, tt.wantRepeatError)
			}

			_, err = s.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: aws.String("new")})
			require.NoError(t, err)
		})
	}

	// If Config.Region is set, the signature must be for that region.
	s = startLenient(t, s3server.Config{Region: "eu-west-1"})
	_, err := s.PutObject(t.Context(), putInput("k", "x"))
	requireFailure(t, err, 400, "AuthorizationHeaderMalformed")
}

// UploadPartCopy of a range needs a source that is not too small. Only a strict server refuses a smaller source, as AWS
// does.
func TestLenientUploadPartCopyOfSmallSource(t *testing.T) {
	copyPart := func(s *store) error {
		// The source is as large as the smallest part in the tests, but it must be larger. In AWS, the limit is 5 MiB.
		s.put(t, "source", "0123456789")
		upload := s.beginUpload(t, "copy")
		_, err := s.UploadPartCopy(t.Context(), &s3.UploadPartCopyInput{
			Bucket:          aws.String(bucket),
			Key:             aws.String("copy"),
			UploadId:        &upload,
			PartNumber:      aws.Int32(1),
			CopySource:      aws.String(bucket + "/source"),
			CopySourceRange: aws.String("bytes=1-2"),
		})
		return err
	}

	lenient := startLenient(t, s3server.Config{})
	require.NoError(t, copyPart(lenient))

	strict := startServer(t, s3server.Config{})
	requireFailure(t, copyPart(strict), 400, "InvalidRequest")
}

// A presigned URL permits what its access key permits. The URL of a read-only key therefore works
// for a GET only.
func TestAccountKeyLimitsURLs(t *testing.T) {
	s, _, _ := startWithACLs(t)
	tests := []struct {
		name          string
		signer        int // ownerKey, otherKey or readOnlyKey
		wantGetStatus int
		wantMayPut    bool
	}{
		{name: "owner", signer: ownerKey, wantGetStatus: 200, wantMayPut: true},
		{name: "other account", signer: otherKey, wantGetStatus: 403, wantMayPut: false},
		{name: "read-only key", signer: readOnlyKey, wantGetStatus: 200, wantMayPut: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.put(t, "k", "content")

			getURL, err := s3.NewPresignClient(s.clientOf(tt.signer)).PresignGetObject(t.Context(), &s3.GetObjectInput{
				Bucket: aws.String(bucket),
				Key:    aws.String("k"),
			})
			require.NoError(t, err)
			response, body := s.send(t, "GET", getURL.URL, nil, nil)
			require.Equal(t, tt.wantGetStatus, response.StatusCode, body)

			response, body = s.putByURL(t, tt.signer, "k")
			succeeds := response.StatusCode == 200
			require.Equal(t, tt.wantMayPut, succeeds, body)
		})
	}
}

// If everybody may write to a bucket, an object belongs to the account whose key signed the URL of the upload.
func TestSignerOfURLOwnsObject(t *testing.T) {
	s, ownerID, otherID := startWithACLs(t)
	_, err := s.PutBucketAcl(t.Context(), &s3.PutBucketAclInput{
		Bucket: aws.String(bucket),
		ACL:    types.BucketCannedACLPublicReadWrite,
	})
	require.NoError(t, err)

	response, body := s.putByURL(t, otherKey, "theirs")
	require.Equal(t, 200, response.StatusCode, body)

	acl, err := s.clientOf(otherKey).GetObjectAcl(t.Context(), &s3.GetObjectAclInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("theirs"),
	})
	require.NoError(t, err)
	require.Equal(t, otherID, *acl.Owner.ID)
	require.NotEqual(t, ownerID, *acl.Owner.ID)
}

// putByURL puts an empty object by a presigned URL that one of the keys of twoAccounts signs.
func (s *store) putByURL(t *testing.T, signer int, key string) (*http.Response, string) {
	t.Helper()
	putURL, err := s3.NewPresignClient(s.clientOf(signer)).PresignPutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(bucket),
		Key:    &key,
	})
	require.NoError(t, err)
	return s.send(t, "PUT", putURL.URL, nil, nil)
}

// A signed form permits what its access key permits. A read-only key permits nothing. A key of
// another account permits the form only if a policy allows it.
func TestAccountKeyLimitsForms(t *testing.T) {
	s := startServer(t, s3server.Config{Credentials: twoAccounts})
	s.allowPublicAccess(t)
	post := func(signer int) (status int) {
		presigned, err := s3.NewPresignClient(s.clientOf(signer)).PresignPostObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String(bucket),
			Key:    aws.String("k"),
		})
		require.NoError(t, err)
		response, _ := s.post(t, presigned.URL, presigned.Values, "content")
		return response.StatusCode
	}

	// Without a policy, only the owner's key may write.
	require.Equal(t, 204, post(ownerKey))
	require.Equal(t, 403, post(otherKey))
	require.Equal(t, 403, post(readOnlyKey))

	// This policy allows the other account to write by forms only.
	const allowForms = `{
		"Effect": "Allow",
		"Principal": {"AWS": "` + otherAccount + `"},
		"Action": "s3:PutObject",
		"Resource": ` + inKeys + `,
		"Condition": {"StringEquals": {"s3:authType": "POST"}}
	}`
	require.NoError(t, s.setPolicy(policyOf(allowForms)))
	require.Equal(t, 204, post(otherKey))

	// The policy does not allow PutObject to the other account.
	_, err := s.clientOf(otherKey).PutObject(t.Context(), putInput("k", "x"))
	requireFailure(t, err, 403, "AccessDenied")
}

// The continuation token of a listing also works if the next request is signed with another access
// key of the same account.
func TestAccountTokenContinuesListingOfOtherKey(t *testing.T) {
	s := startServer(t, s3server.Config{Credentials: twoAccounts})
	for _, key := range []string{"a", "b", "c"} {
		s.put(t, key, "x")
	}
	list := func(client *s3.Client, token *string) *s3.ListObjectsV2Output {
		output, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{
			Bucket:            aws.String(bucket),
			MaxKeys:           aws.Int32(2),
			ContinuationToken: token,
		})
		require.NoError(t, err)
		return output
	}

	firstPage := list(s.Client, nil)
	secondPage := list(s.clientOf(readOnlyKey), firstPage.NextContinuationToken)

	require.Equal(t, "c", *secondPage.Contents[0].Key)
}

// Temporary credentials work only with their own session token.
func TestAccountTemporaryKeysNeedToken(t *testing.T) {
	const keyID1, keyID2 = "ASIAONEONEONEONEONEO", "ASIATWOTWOTWOTWOTWOT"
	temporary := []s3server.Credential{
		{AccessKeyID: keyID1, SecretKey: "secret 1", SessionToken: "token 1"},
		{AccessKeyID: keyID2, SecretKey: "secret 2", SessionToken: "token 2"},
	}
	s := startServer(t, s3server.Config{Credentials: append(temporary, twoAccounts...)})
	listBuckets := func(keyID, secret, token string) error {
		client := s.client(func(o *s3.Options) {
			o.Credentials = credentials.NewStaticCredentialsProvider(keyID, secret, token)
		})
		_, err := client.ListBuckets(t.Context(), &s3.ListBucketsInput{})
		return err
	}

	require.NoError(t, listBuckets(keyID1, "secret 1", "token 1"))
	require.NoError(t, listBuckets(keyID2, "secret 2", "token 2"))
	requireFailure(t, listBuckets(keyID2, "secret 2", "token 1"), 400, "InvalidToken")
	requireFailure(t, listBuckets(keyID2, "secret 2", ""), 403, "InvalidAccessKeyId")
	requireFailure(t, listBuckets(keyID2, "secret 1", "token 2"), 403, "SignatureDoesNotMatch")
}
