package s3server_test

import (
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// md5Of returns the MD5 of a text in the form of Content-MD5.
func md5Of(text string) string {
	sum := md5.Sum([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// putDocument sends a document with its MD5 sum, which AWS requires for a configuration.
func (s *store) putDocument(t *testing.T, path, document string) (*http.Response, string) {
	t.Helper()
	return s.sendSigned(t, "PUT", path, document, map[string]string{"Content-Md5": md5Of(document)})
}

// Each configuration of a new bucket has its default, or the error that says that it is not set.
func TestBucketHasDefaultConfigurations(t *testing.T) {
	const (
		emptyAcceleration = `<AccelerateConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></AccelerateConfiguration>`
		emptyList         = "<IsTruncated>false</IsTruncated>"
		aes256            = "<SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false<"
	)
	s := startServer(t, s3server.Config{})
	tests := []struct {
		query      string
		wantStatus int
		wantBody   string // a part of the body
	}{
		{query: "accelerate", wantStatus: 200, wantBody: emptyAcceleration},
		{query: "analytics", wantStatus: 200, wantBody: emptyList},
		{query: "analytics&id=x", wantStatus: 404, wantBody: "NoSuchConfiguration"},
		{query: "encryption", wantStatus: 200, wantBody: aes256},
		{query: "intelligent-tiering", wantStatus: 200, wantBody: emptyList},
		{query: "intelligent-tiering&id=x", wantStatus: 404, wantBody: "NoSuchConfiguration"},
		{query: "inventory", wantStatus: 200, wantBody: emptyList},
		{query: "inventory&id=x", wantStatus: 404, wantBody: "NoSuchConfiguration"},
		{query: "logging", wantStatus: 200, wantBody: "<BucketLoggingStatus"},
		{query: "metrics", wantStatus: 200, wantBody: emptyList},
		{query: "metrics&id=x", wantStatus: 404, wantBody: "NoSuchConfiguration"},
		{query: "replication", wantStatus: 404, wantBody: "ReplicationConfigurationNotFoundError"},
		{query: "requestPayment", wantStatus: 200, wantBody: "<Payer>BucketOwner</Payer>"},
		{query: "tagging", wantStatus: 404, wantBody: "NoSuchTagSet"},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			response, body := s.sendSigned(t, "GET", "/photos?"+tt.query, "", nil)
			require.Equal(t, tt.wantStatus, response.StatusCode, body)
			require.Contains(t, body, tt.wantBody)

			// Without the bucket, each request fails in the same way.
			response, body = s.sendSigned(t, "GET", "/missing?"+tt.query, "", nil)
			require.Equal(t, 404, response.StatusCode, body)
			require.Equal(t, "NoSuchBucket", parseError(t, body).Code)
		})
	}
}

// Requests that set a configuration which the server does not have, and requests for a torrent or a select, fail with
// NotImplemented. Requests that delete such a configuration respond as if it were not set.
func TestBucketConfigurationsMissing(t *testing.T) {
	s := startServer(t, s3server.Config{})
	configurations := []struct {
		query            string
		wantDeleteStatus int
	}{
		{query: "analytics&id=x", wantDeleteStatus: 404},
		{query: "intelligent-tiering&id=x", wantDeleteStatus: 404},
		{query: "inventory&id=x", wantDeleteStatus: 404},
		{query: "metrics&id=x", wantDeleteStatus: 404},
		{query: "replication", wantDeleteStatus: 204},
	}
	for _, tt := range configurations {
		t.Run(tt.query, func(t *testing.T) {
			response, body := s.putDocument(t, "/photos?"+tt.query, "<x/>")
			require.Equal(t, 501, response.StatusCode)
			require.Equal(t, "NotImplemented", parseError(t, body).Code)

			// A configuration that cannot be set can still be deleted.
			response, _ = s.sendSigned(t, "DELETE", "/photos?"+tt.query, "", nil)
			require.Equal(t, tt.wantDeleteStatus, response.StatusCode)
		})
	}

	requests := []struct{ method, path string }{
		{method: "GET", path: "/photos/k?torrent"},
		{method: "POST", path: "/photos/k?select&select-type=2"},
	}
	for _, r := range requests {
		t.Run(r.path, func(t *testing.T) {
			response, body := s.sendSigned(t, r.method, r.path, "", nil)

			require.Equal(t, 501, response.StatusCode)
			require.Equal(t, "NotImplemented", parseError(t, body).Code)
		})
	}
}

// The server stores, returns and deletes the tags of a bucket, and refuses those that S3 refuses.
func TestBucketTags(t *testing.T) {
	s := startServer(t, s3server.Config{})

	put := func(tags ...types.Tag) error {
		_, err := s.PutBucketTagging(t.Context(), &s3.PutBucketTaggingInput{
			Bucket:  aws.String(bucket),
			Tagging: &types.Tagging{TagSet: tags},
		})
		return err
	}
	get := func(name string) ([]types.Tag, error) {
		output, err := s.GetBucketTagging(t.Context(), &s3.GetBucketTaggingInput{Bucket: &name})
		if err != nil {
			return nil, err
		}
		return output.TagSet, nil
	}
	tag := func(key, value string) types.Tag {
		return types.Tag{Key: &key, Value: &value}
	}

	// The server stores and returns two tags.
	two := []types.Tag{tag("a", "1"), tag("b", "")}
	require.NoError(t, put(two...))
	got, err := get(bucket)
	require.NoError(t, err)
	require.Equal(t, two, got)

	// The server refuses more tags than the maximum number.
	const maxTags = 50
	var many []types.Tag
	for i := range maxTags + 1 {
		many = append(many, tag(fmt.Sprintf("k%d", i), "v"))
	}
	require.NoError(t, put(many[:maxTags]...))
	requireFailure(t, put(many...), 400, "BadRequest")

	// A key must be unique, and must not begin with "aws:".
	requireFailure(t, put(two[0], two[0]), 400, "InvalidTag")
	requireFailure(t, put(tag("aws:x", "v")), 400, "InvalidTag")

	// A bucket whose tags were deleted has no set of tags.
	_, err = s.DeleteBucketTagging(t.Context(), &s3.DeleteBucketTaggingInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	_, err = get(bucket)
	requireFailure(t, err, 404, "NoSuchTagSet")

	// CreateBucket sets tags, too.
	_, err = s.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket:                    aws.String("tagged"),
		CreateBucketConfiguration: &types.CreateBucketConfiguration{Tags: two},
	})
	require.NoError(t, err)
	got, err = get("tagged")
	require.NoError(t, err)
	require.Equal(t, two, got)

	// CreateBucket refuses the other part of this configuration, which makes a directory bucket.
	_, err = s.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket: aws.String("directory"),
		CreateBucketConfiguration: &types.CreateBucketConfiguration{
			Location: &types.LocationInfo{Name: aws.String("use1-az4"), Type: types.LocationTypeAvailabilityZone},
		},
	})
	requireFailure(t, err, 501, "NotImplemented")
}

// setEncryption sets the default encryption of the bucket.
func (s *store) setEncryption(t *testing.T, rules ...types.ServerSideEncryptionRule) error {
	_, err := s.PutBucketEncryption(t.Context(), &s3.PutBucketEncryptionInput{
		Bucket:                            aws.String(bucket),
		ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{Rules: rules},
	})
	return err
}

// encryptWith returns a rule that encrypts new objects with an algorithm. The objects do not get keys of their own.
func encryptWith(algorithm types.ServerSideEncryption) types.ServerSideEncryptionRule {
	return types.ServerSideEncryptionRule{
		ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{SSEAlgorithm: algorithm},
		BucketKeyEnabled:                   aws.Bool(false),
	}
}

// The default encryption of a bucket applies to new objects, unless their requests say otherwise.
func TestBucketEncryptionIsThatOfObjects(t *testing.T) {
	s := startServer(t, s3server.Config{})
	rule := encryptWith(types.ServerSideEncryptionAwsKms)
	rule.ApplyServerSideEncryptionByDefault.KMSMasterKeyID = aws.String("key-1")
	rule.BucketKeyEnabled = aws.Bool(true)

	// Set the default, and read it.
	require.NoError(t, s.setEncryption(t, rule))
	got, err := s.GetBucketEncryption(t.Context(), &s3.GetBucketEncryptionInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	require.Equal(t, []types.ServerSideEncryptionRule{rule}, got.ServerSideEncryptionConfiguration.Rules)

	// A write without encryption headers gets the default.
	put, err := s.PutObject(t.Context(), putInput("k", "x"))
	require.NoError(t, err)
	require.Equal(t, types.ServerSideEncryptionAwsKms, put.ServerSideEncryption)
	require.Equal(t, "key-1", *put.SSEKMSKeyId)
	require.True(t, *put.BucketKeyEnabled)

	head, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
	})
	require.NoError(t, err)
	require.Equal(t, "key-1", *head.SSEKMSKeyId)

	// An object may be copied onto itself, because the copy applies the default.
	_, err = s.CopyObject(t.Context(), &s3.CopyObjectInput{
		Bucket:     aws.String(bucket),
		Key:        aws.String("k"),
		CopySource: aws.String("photos/k"),
	})
	require.NoError(t, err)

	// The headers of a write take precedence over the bucket's rule.
	ownInput := putInput("own", "x")
	ownInput.ServerSideEncryption = types.ServerSideEncryptionAes256
	put, err = s.PutObject(t.Context(), ownInput)
	require.NoError(t, err)
	require.Equal(t, types.ServerSideEncryptionAes256, put.ServerSideEncryption)
	require.Nil(t, put.SSEKMSKeyId)

	// An upload in parts gets the default, too.
	upload, err := s.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("parts"),
	})
	require.NoError(t, err)
	require.Equal(t, "key-1", *upload.SSEKMSKeyId)

	// Without a configuration, the default is AES256.
	_, err = s.DeleteBucketEncryption(t.Context(), &s3.DeleteBucketEncryptionInput{
		Bucket: aws.String(bucket),
	})
	require.NoError(t, err)
	put, err = s.PutObject(t.Context(), putInput("k", "x"))
	require.NoError(t, err)
	require.Equal(t, types.ServerSideEncryptionAes256, put.ServerSideEncryption)
}

// The server refuses a default encryption with two rules, an unknown algorithm, or a key that the algorithm does not
// use.
func TestBucketEncryptionRefused(t *testing.T) {
	s := startServer(t, s3server.Config{})
	valid := encryptWith(types.ServerSideEncryptionAes256)
	unknown := encryptWith("AES512")
	withKey := encryptWith(types.ServerSideEncryptionAes256)
	withKey.ApplyServerSideEncryptionByDefault.KMSMasterKeyID = aws.String("key-1")

	requireFailure(t, s.setEncryption(t, valid, valid), 400, "MalformedXML")
	requireFailure(t, s.setEncryption(t, unknown), 400, "MalformedXML")
	requireFailure(t, s.setEncryption(t, withKey), 400, "InvalidArgument")
}

// A bucket's encryption configuration can forbid customer-provided keys (SSE-C).
func TestBucketBlocksCustomerKeys(t *testing.T) {
	s := startTLS(t, s3server.Config{})
	block := func(encryption types.EncryptionType) {
		require.NoError(t, s.setEncryption(t, types.ServerSideEncryptionRule{
			BlockedEncryptionTypes: &types.BlockedEncryptionTypes{
				EncryptionType: []types.EncryptionType{encryption},
			},
		}))
	}
	put := func() error {
		_, err := s.PutObject(t.Context(), newCustomerKey('a').put("x"))
		return err
	}

	block(types.EncryptionTypeSseC)
	requireFailure(t, put(), 403, "AccessDenied")

	block(types.EncryptionTypeNone)
	require.NoError(t, put())
}

// A bucket whose requesters pay refuses anonymous requests, because they have no account that would pay.
func TestRequesterPays(t *testing.T) {
	s := startLenient(t, s3server.Config{})
	s.setOwnership(t, types.ObjectOwnershipObjectWriter)
	input := putInput("k", "x")
	input.ACL = types.ObjectCannedACLPublicRead
	_, err := s.PutObject(t.Context(), input)
	require.NoError(t, err)

	getAnonymously := func(header http.Header) (status int) {
		response, _ := s.send(t, "GET", s.server.URL+"/photos/k", nil, header)
		return response.StatusCode
	}
	setPayer := func(payer types.Payer) error {
		_, err := s.PutBucketRequestPayment(t.Context(), &s3.PutBucketRequestPaymentInput{
			Bucket:                      aws.String(bucket),
			RequestPaymentConfiguration: &types.RequestPaymentConfiguration{Payer: payer},
		})
		return err
	}

	// By default, the owner pays.
	requireFailure(t, setPayer("Nobody"), 400, "MalformedXML")
	require.Equal(t, 200, getAnonymously(nil))

	// If the requester pays, an anonymous client cannot read, even with X-Amz-Request-Payer.
	require.NoError(t, setPayer(types.PayerRequester))
	got, err := s.GetBucketRequestPayment(t.Context(), &s3.GetBucketRequestPaymentInput{
		Bucket: aws.String(bucket),
	})
	require.NoError(t, err)
	require.Equal(t, types.PayerRequester, got.Payer)
	require.Equal(t, 403, getAnonymously(nil))
	require.Equal(t, 403, getAnonymously(http.Header{"X-Amz-Request-Payer": {"requester"}}))
	require.Equal(t, "x", s.get(t, "k"), "the owner needs no header")

	// When the owner pays again, everybody may read the object.
	require.NoError(t, setPayer(types.PayerBucketOwner))
	require.Equal(t, 200, getAnonymously(nil))
}

// If the requester pays, another account must send the header by which it agrees to pay.
func TestRequesterPaysOtherAccount(t *testing.T) {
	const allowOther = `{
		"Effect": "Allow",
		"Principal": {"AWS": "arn:aws:iam::` + otherAccount + `:root"},
		"Action": "s3:GetObject",
		"Resource": "arn:aws:s3:::photos/*"
	}`
	s := startServer(t, s3server.Config{Credentials: twoAccounts})
	require.NoError(t, s.setPolicy(policy2012(allowOther)))
	_, err := s.PutBucketRequestPayment(t.Context(), &s3.PutBucketRequestPaymentInput{
		Bucket:                      aws.String(bucket),
		RequestPaymentConfiguration: &types.RequestPaymentConfiguration{Payer: types.PayerRequester},
	})
	require.NoError(t, err)
	s.put(t, "k", "x")
	other := s.clientOf(otherKey)

	// A read needs the header, and the response confirms the payment.
	getInput := &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")}
	_, err = other.GetObject(t.Context(), getInput)
	requireFailure(t, err, 403, "AccessDenied")

	getInput.RequestPayer = types.RequestPayerRequester
	output, err := other.GetObject(t.Context(), getInput)
	require.NoError(t, err)
	require.Equal(t, types.RequestChargedRequester, output.RequestCharged)
	require.Equal(t, "x", readBody(t, output.Body))

	// A copy from the bucket needs the header as well.
	_, err = other.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("others")})
	require.NoError(t, err)
	copyInput := &s3.CopyObjectInput{
		Bucket:     aws.String("others"),
		Key:        aws.String("k"),
		CopySource: aws.String(bucket + "/k"),
	}
	_, err = other.CopyObject(t.Context(), copyInput)
	requireFailure(t, err, 403, "AccessDenied")

	copyInput.RequestPayer = types.RequestPayerRequester
	copyOutput, err := other.CopyObject(t.Context(), copyInput)
	require.NoError(t, err)
	require.Equal(t, types.RequestChargedRequester, copyOutput.RequestCharged)
}

// PutBucketLogging refuses a target bucket of another account.
func TestLoggingStaysWithOwner(t *testing.T) {
	s := startServer(t, s3server.Config{Credentials: twoAccounts})
	_, err := s.clientOf(otherKey).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("others")})
	require.NoError(t, err)

	_, err = s.PutBucketLogging(t.Context(), &s3.PutBucketLoggingInput{
		Bucket: aws.String(bucket),
		BucketLoggingStatus: &types.BucketLoggingStatus{
			LoggingEnabled: &types.LoggingEnabled{
				TargetBucket: aws.String("others"),
				TargetPrefix: aws.String(""),
			},
		},
	})

	requireFailure(t, err, 400, "InvalidTargetBucketForLogging")
}

// The server refuses a configuration with an XML element that it does not know or does not implement. The
// element X stands for the unknown ones.
func TestBucketConfigurationUnknownElements(t *testing.T) {
	const cors = "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>"
	s := startServer(t, s3server.Config{})
	tests := []struct{ name, query, document string }{
		{
			name:     "unknown element in an acceleration",
			query:    "accelerate",
			document: "<AccelerateConfiguration><Status>Enabled</Status><X/></AccelerateConfiguration>",
		},
		{
			name:     "unknown element in a CORS rule",
			query:    "cors",
			document: "<CORSConfiguration><CORSRule>" + cors + "<X/></CORSRule></CORSConfiguration>",
		},
		{
			name:     "unknown element after a CORS rule",
			query:    "cors",
			document: "<CORSConfiguration><CORSRule>" + cors + "</CORSRule><X/></CORSConfiguration>",
		},
		{
			name:     "unknown element in an encryption rule",
			query:    "encryption",
			document: "<ServerSideEncryptionConfiguration><Rule><X/></Rule></ServerSideEncryptionConfiguration>",
		},
		{
			name:     "unknown element in a logging status",
			query:    "logging",
			document: "<BucketLoggingStatus><X/></BucketLoggingStatus>",
		},
		{
			name:     "unknown element in a payment",
			query:    "requestPayment",
			document: "<RequestPaymentConfiguration><Payer>Requester</Payer><X/></RequestPaymentConfiguration>",
		},
		{
			name:     "tag without a value",
			query:    "tagging",
			document: "<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>",
		},
		{
			name:     "unknown element after the tags",
			query:    "tagging",
			document: "<Tagging><TagSet/><X/></Tagging>",
		},
		{
			name:     "unknown element in a versioning",
			query:    "versioning",
			document: "<VersioningConfiguration><Status>Enabled</Status><X/></VersioningConfiguration>",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, body := s.putDocument(t, "/photos?"+tt.query, tt.document)

			require.Equal(t, 400, response.StatusCode, body)
			require.Equal(t, "MalformedXML", parseError(t, body).Code)
		})
	}

	// The element MfaDelete is known, but the server does not implement it.
	_, body := s.putDocument(t, "/photos?versioning",
		"<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete></VersioningConfiguration>")
	require.Equal(t, "NotImplemented", parseError(t, body).Code)
}

// The server stores and returns the acceleration of a bucket, and refuses an unknown status and a name with a dot.
func TestBucketAcceleration(t *testing.T) {
	const dotted = "a.b"
	s := startServer(t, s3server.Config{Buckets: []string{bucket, dotted}})
	accelerate := func(bucket string, status types.BucketAccelerateStatus) error {
		_, err := s.PutBucketAccelerateConfiguration(t.Context(), &s3.PutBucketAccelerateConfigurationInput{
			Bucket:                  &bucket,
			AccelerateConfiguration: &types.AccelerateConfiguration{Status: status},
		})
		return err
	}

	// The server returns the status that was set.
	require.NoError(t, accelerate(bucket, types.BucketAccelerateStatusSuspended))
	got, err := s.GetBucketAccelerateConfiguration(t.Context(), &s3.GetBucketAccelerateConfigurationInput{
		Bucket: aws.String(bucket),
	})
	require.NoError(t, err)
	require.Equal(t, types.BucketAccelerateStatusSuspended, got.Status)

	// A status must have its capital, and the name of an accelerated bucket must have no dot.
	requireFailure(t, accelerate(bucket, "enabled"), 400, "MalformedXML")
	requireFailure(t, accelerate(dotted, types.BucketAccelerateStatusEnabled), 400, "InvalidRequest")
}

// The server stores, returns and removes the logging configuration of a bucket, and refuses a missing target bucket.
func TestBucketLogging(t *testing.T) {
	s := startServer(t, s3server.Config{Buckets: []string{bucket, "logs"}})
	putLogging := func(target *types.LoggingEnabled) error {
		_, err := s.PutBucketLogging(t.Context(), &s3.PutBucketLoggingInput{
			Bucket:              aws.String(bucket),
			BucketLoggingStatus: &types.BucketLoggingStatus{LoggingEnabled: target},
		})
		return err
	}
	getLogging := func() *types.LoggingEnabled {
		output, err := s.GetBucketLogging(t.Context(), &s3.GetBucketLoggingInput{Bucket: aws.String(bucket)})
		require.NoError(t, err)
		return output.LoggingEnabled
	}

	// Store a configuration, and read it.
	target := &types.LoggingEnabled{TargetBucket: aws.String("logs"), TargetPrefix: aws.String("photos/")}
	require.NoError(t, putLogging(target))
	require.Equal(t, target, getLogging())

	// The target must be a bucket of the server.
	missing := &types.LoggingEnabled{TargetBucket: aws.String("missing"), TargetPrefix: aws.String("")}
	requireFailure(t, putLogging(missing), 400, "InvalidTargetBucketForLogging")

	// An empty configuration removes the one before.
	require.NoError(t, putLogging(nil))
	require.Nil(t, getLogging())
}
