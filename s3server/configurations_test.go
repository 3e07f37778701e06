package s3server_test

import (
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
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

// vouched sends a document with a digest that AWS requires.
func (s *store) vouched(t *testing.T, path, document string) (*http.Response, string) {
	t.Helper()
	return s.signedSend(t, "PUT", path, document, map[string]string{"Content-Md5": md5Of(document)})
}

// For a new bucket, each configuration has its default, or the error that says that it is not set.
func TestBucketHasDefaultConfigurations(t *testing.T) {
	s := start(t, s3server.Config{})
	tests := map[string]struct {
		status int
		text   string // of the body
	}{
		"accelerate": {
			200,
			"<AccelerateConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"></AccelerateConfiguration>",
		},
		"analytics":      {200, "<IsTruncated>false</IsTruncated>"},
		"analytics&id=x": {404, "NoSuchConfiguration"},
		"encryption": {
			200,
			"<SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false<",
		},
		"intelligent-tiering":      {200, "<IsTruncated>false</IsTruncated>"},
		"intelligent-tiering&id=x": {404, "NoSuchConfiguration"},
		"inventory":                {200, "<IsTruncated>false</IsTruncated>"},
		"inventory&id=x":           {404, "NoSuchConfiguration"},
		"logging":                  {200, "<BucketLoggingStatus"},
		"metrics":                  {200, "<IsTruncated>false</IsTruncated>"},
		"metrics&id=x":             {404, "NoSuchConfiguration"},
		"replication":              {404, "ReplicationConfigurationNotFoundError"},
		"requestPayment":           {200, "<Payer>BucketOwner</Payer>"},
		"tagging":                  {404, "NoSuchTagSet"},
	}
	for query, tt := range tests {
		t.Run(query, func(t *testing.T) {
			response, body := s.signedSend(t, "GET", "/photos?"+query, "", nil)
			require.Equal(t, tt.status, response.StatusCode, body)
			require.Contains(t, body, tt.text)
			response, body = s.signedSend(t, "GET", "/missing?"+query, "", nil)
			require.Equal(t, 404, response.StatusCode, body)
			require.Equal(t, "NoSuchBucket", parseError(t, body).Code)
		})
	}
}

// Requests that set a configuration which the server lacks fail with NotImplemented. So do those for a torrent,
// and for a select.
func TestBucketConfigurationsMissing(t *testing.T) {
	s := start(t, s3server.Config{})
	for _, query := range []string{"analytics&id=x", "intelligent-tiering&id=x", "inventory&id=x", "metrics&id=x", "replication"} {
		response, body := s.vouched(t, "/photos?"+query, "<x/>")
		require.Equal(t, 501, response.StatusCode, query)
		require.Equal(t, "NotImplemented", parseError(t, body).Code, query)
		response, _ = s.signedSend(t, "DELETE", "/photos?"+query, "", nil)
		require.Equal(t, map[bool]int{
			true:  204,
			false: 404,
		}[query == "replication"], response.StatusCode, query)
	}
	for _, request := range []string{"GET /photos/k?torrent", "POST /photos/k?select&select-type=2"} {
		method, path, _ := strings.Cut(request, " ")
		response, body := s.signedSend(t, method, path, "", nil)
		require.Equal(t, 501, response.StatusCode, request)
		require.Equal(t, "NotImplemented", parseError(t, body).Code, request)
	}
}

// The server stores, returns and deletes the tags of a bucket.
func TestBucketTags(t *testing.T) {
	s := start(t, s3server.Config{})
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
	two := []types.Tag{{
		Key:   aws.String("a"),
		Value: aws.String("1"),
	}, {Key: aws.String("b"), Value: aws.String("")}}
	require.NoError(t, put(two...))

	got, err := get(bucket)
	require.NoError(t, err)
	require.Equal(t, two, got)

	var many []types.Tag
	for i := range 51 {
		many = append(many, types.Tag{Key: aws.String(fmt.Sprintf("k%d", i)), Value: aws.String("v")})
	}

	require.NoError(t, put(many[:50]...))
	requireFailure(t, put(many...), 400, "BadRequest")
	requireFailure(t, put(two[0], two[0]), 400, "InvalidTag")
	requireFailure(t, put(types.Tag{Key: aws.String("aws:x"), Value: aws.String("v")}), 400, "InvalidTag")

	_, err = s.DeleteBucketTagging(t.Context(), &s3.DeleteBucketTaggingInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	_, err = get(bucket)
	requireFailure(t, err, 404, "NoSuchTagSet")

	_, err = s.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket:                    aws.String("tagged"),
		CreateBucketConfiguration: &types.CreateBucketConfiguration{Tags: two},
	})
	require.NoError(t, err)
	got, err = get("tagged")
	require.NoError(t, err)
	require.Equal(t, two, got)
	_, err = s.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("directory"), CreateBucketConfiguration: &types.CreateBucketConfiguration{
		Location: &types.LocationInfo{Name: aws.String("use1-az4"), Type: types.LocationTypeAvailabilityZone},
	}})
	requireFailure(t, err, 501, "NotImplemented")
}

// encryptBy sets the default encryption of the bucket.
func (s *store) encryptBy(t *testing.T, rules ...types.ServerSideEncryptionRule) error {
	_, err := s.PutBucketEncryption(t.Context(), &s3.PutBucketEncryptionInput{
		Bucket:                            aws.String(bucket),
		ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{Rules: rules},
	})
	return err
}

// byDefault returns a rule of the default encryption.
func byDefault(
	algorithm types.ServerSideEncryption, key string, bucketKey bool,
) types.ServerSideEncryptionRule {
	rule := types.ServerSideEncryptionRule{
		ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{SSEAlgorithm: algorithm},
		BucketKeyEnabled:                   &bucketKey,
	}
	if key != "" {
		rule.ApplyServerSideEncryptionByDefault.KMSMasterKeyID = &key
	}
	return rule
}

// The default encryption of a bucket applies to its new objects.
func TestBucketEncryptionIsThatOfObjects(t *testing.T) {
	s := start(t, s3server.Config{})
	rule := byDefault(types.ServerSideEncryptionAwsKms, "key-1", true)
	require.NoError(t, s.encryptBy(t, rule))
	got, err := s.GetBucketEncryption(t.Context(), &s3.GetBucketEncryptionInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	require.Equal(t, []types.ServerSideEncryptionRule{rule}, got.ServerSideEncryptionConfiguration.Rules)

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

	_, err = s.CopyObject(t.Context(), &s3.CopyObjectInput{
		Bucket:     aws.String(bucket),
		Key:        aws.String("k"),
		CopySource: aws.String("photos/k"),
	})
	require.NoError(t, err, "a copy to itself applies the rule")
	ownInput := putInput("own", "x")
	ownInput.ServerSideEncryption = types.ServerSideEncryptionAes256

	put, err = s.PutObject(t.Context(), ownInput)
	require.NoError(t, err)
	require.Equal(t, types.ServerSideEncryptionAes256, put.ServerSideEncryption, "the write decides")
	require.Nil(t, put.SSEKMSKeyId)

	upload, err := s.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("parts"),
	})
	require.NoError(t, err)
	require.Equal(t, "key-1", *upload.SSEKMSKeyId)

	_, err = s.DeleteBucketEncryption(t.Context(), &s3.DeleteBucketEncryptionInput{
		Bucket: aws.String(bucket),
	})
	require.NoError(t, err)
	put, err = s.PutObject(t.Context(), putInput("k", "x"))
	require.NoError(t, err)
	require.Equal(t, types.ServerSideEncryptionAes256, put.ServerSideEncryption)
}

// The server refuses these encryption configurations.
func TestBucketEncryptionRefused(t *testing.T) {
	s := start(t, s3server.Config{})
	aes := byDefault(types.ServerSideEncryptionAes256, "", false)
	requireFailure(t, s.encryptBy(t, aes, aes), 400, "MalformedXML")
	requireFailure(t, s.encryptBy(t, byDefault("AES512", "", false)), 400, "MalformedXML")
	requireFailure(t, s.encryptBy(t, byDefault(types.ServerSideEncryptionAes256, "key-1", false)), 400,
		"InvalidArgument")
}

// A bucket's encryption configuration can forbid customer-provided keys.
func TestBucketBlocksCustomerKeys(t *testing.T) {
	s := startTLS(t, s3server.Config{})
	rule := types.ServerSideEncryptionRule{BlockedEncryptionTypes: &types.BlockedEncryptionTypes{EncryptionType: []types.EncryptionType{types.EncryptionTypeSseC}}}
	require.NoError(t, s.encryptBy(t, rule))

	put := func() error {
		_, err := s.PutObject(t.Context(), newCustomerKey('a').put("x"))
		return err
	}
	requireFailure(t, put(), 403, "AccessDenied")

	rule.BlockedEncryptionTypes.EncryptionType[0] = types.EncryptionTypeNone
	require.NoError(t, s.encryptBy(t, rule))
	require.NoError(t, put())
}

// If the requester pays, anonymous requests are refused.
func TestRequesterPays(t *testing.T) {
	s := startLenient(t, s3server.Config{})
	s.own(t, types.ObjectOwnershipObjectWriter)
	input := putInput("k", "x")
	input.ACL = types.ObjectCannedACLPublicRead
	_, err := s.PutObject(t.Context(), input)
	require.NoError(t, err)

	anonymous := func(header http.Header) int {
		response, _ := s.send(t, "GET", s.server.URL+"/photos/k", nil, header)
		return response.StatusCode
	}
	require.Equal(t, 200, anonymous(nil))

	pay := func(payer types.Payer) error {
		_, err := s.PutBucketRequestPayment(t.Context(), &s3.PutBucketRequestPaymentInput{
			Bucket:                      aws.String(bucket),
			RequestPaymentConfiguration: &types.RequestPaymentConfiguration{Payer: payer},
		})
		return err
	}
	requireFailure(t, pay("Nobody"), 400, "MalformedXML")

	require.NoError(t, pay(types.PayerRequester))
	got, err := s.GetBucketRequestPayment(t.Context(), &s3.GetBucketRequestPaymentInput{
		Bucket: aws.String(bucket),
	})
	require.NoError(t, err)
	require.Equal(t, types.PayerRequester, got.Payer)
	require.Equal(t, 403, anonymous(nil))
	require.Equal(t, 403, anonymous(http.Header{"X-Amz-Request-Payer": {"requester"}}),
		"nobody knows who would pay")
	require.Equal(t, "x", s.get(t, "k"), "the owner is not asked")

	require.NoError(t, pay(types.PayerBucketOwner))
	require.Equal(t, 200, anonymous(nil))
}

// If the requester pays, another account must send the header by which it agrees to pay.
func TestRequesterPaysOtherAccount(t *testing.T) {
	s := start(t, s3server.Config{Credentials: twoAccounts})
	_, err := s.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String(bucket), Policy: aws.String(`{"Version": "2012-10-17", "Statement": {
		"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::` + otherAccount + `:root"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*"}}`)})
	require.NoError(t, err)
	_, err = s.PutBucketRequestPayment(t.Context(), &s3.PutBucketRequestPaymentInput{
		Bucket:                      aws.String(bucket),
		RequestPaymentConfiguration: &types.RequestPaymentConfiguration{Payer: types.PayerRequester},
	})
	require.NoError(t, err)
	s.put(t, "k", "x")
	get := &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")}
	other := s.clientOf(1)

	_, err = other.GetObject(t.Context(), get)
	requireFailure(t, err, 403, "AccessDenied")
	get.RequestPayer = types.RequestPayerRequester
	output, err := other.GetObject(t.Context(), get)
	require.NoError(t, err)
	require.Equal(t, types.RequestChargedRequester, output.RequestCharged)
	require.Equal(t, "x", readBody(t, output.Body))

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
	charged, err := other.CopyObject(t.Context(), copyInput)
	require.NoError(t, err, "the source is asked as well as the target")
	require.Equal(t, types.RequestChargedRequester, charged.RequestCharged)
}

// PutBucketLogging refuses a target bucket of another account.
func TestLoggingStaysWithOwner(t *testing.T) {
	s := start(t, s3server.Config{Credentials: twoAccounts})
	_, err := s.clientOf(1).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("others")})
	require.NoError(t, err)
	_, err = s.PutBucketLogging(t.Context(), &s3.PutBucketLoggingInput{Bucket: aws.String(bucket), BucketLoggingStatus: &types.BucketLoggingStatus{
		LoggingEnabled: &types.LoggingEnabled{
			TargetBucket: aws.String("others"),
			TargetPrefix: aws.String(""),
		},
	}})
	requireFailure(t, err, 400, "InvalidTargetBucketForLogging")
}

// The server refuses configurations with unknown XML elements.
func TestBucketConfigurationUnknownElements(t *testing.T) {
	s := start(t, s3server.Config{})
	const cors = "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>"

	for path, document := range map[string]string{
		"accelerate":     "<AccelerateConfiguration><Status>Enabled</Status><X/></AccelerateConfiguration>",
		"cors":           "<CORSConfiguration><CORSRule>" + cors + "<X/></CORSRule></CORSConfiguration>",
		"cors&x-id=2":    "<CORSConfiguration><CORSRule>" + cors + "</CORSRule><X/></CORSConfiguration>",
		"encryption":     "<ServerSideEncryptionConfiguration><Rule><X/></Rule></ServerSideEncryptionConfiguration>",
		"logging":        "<BucketLoggingStatus><X/></BucketLoggingStatus>",
		"requestPayment": "<RequestPaymentConfiguration><Payer>Requester</Payer><X/></RequestPaymentConfiguration>",
		"tagging":        "<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>",
		"tagging&x-id=2": "<Tagging><TagSet/><X/></Tagging>",
		"versioning":     "<VersioningConfiguration><Status>Enabled</Status><X/></VersioningConfiguration>",
	} {
		response, body := s.vouched(t, "/photos?"+path, document)
		require.Equal(t, 400, response.StatusCode, "%s: %s", path, body)
		require.Equal(t, "MalformedXML", parseError(t, body).Code, path)
	}

	_, body := s.vouched(t, "/photos?versioning",
		"<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete></VersioningConfiguration>")
	require.Equal(t, "NotImplemented", parseError(t, body).Code)
}

// The server stores and returns the acceleration and logging configurations.
func TestBucketAccelerationAndLogging(t *testing.T) {
	s := start(t, s3server.Config{Buckets: []string{bucket, "logs", "a.b"}})
	accelerate := func(bucket string, status types.BucketAccelerateStatus) error {
		_, err := s.PutBucketAccelerateConfiguration(t.Context(), &s3.PutBucketAccelerateConfigurationInput{
			Bucket:                  &bucket,
			AccelerateConfiguration: &types.AccelerateConfiguration{Status: status},
		})
		return err
	}
	require.NoError(t, accelerate(bucket, types.BucketAccelerateStatusSuspended))

	got, err := s.GetBucketAccelerateConfiguration(t.Context(), &s3.GetBucketAccelerateConfigurationInput{
		Bucket: aws.String(bucket),
	})
	require.NoError(t, err)
	require.Equal(t, types.BucketAccelerateStatusSuspended, got.Status)
	requireFailure(t, accelerate(bucket, "enabled"), 400, "MalformedXML")
	requireFailure(t, accelerate("a.b", types.BucketAccelerateStatusEnabled), 400, "InvalidRequest")

	log := func(target *types.LoggingEnabled) error {
		_, err := s.PutBucketLogging(t.Context(), &s3.PutBucketLoggingInput{
			Bucket:              aws.String(bucket),
			BucketLoggingStatus: &types.BucketLoggingStatus{LoggingEnabled: target},
		})
		return err
	}
	logged := func() *types.LoggingEnabled {
		output, err := s.GetBucketLogging(t.Context(), &s3.GetBucketLoggingInput{Bucket: aws.String(bucket)})
		require.NoError(t, err)
		return output.LoggingEnabled
	}
	target := &types.LoggingEnabled{TargetBucket: aws.String("logs"), TargetPrefix: aws.String("photos/")}

	require.NoError(t, log(target))
	require.Equal(t, target, logged())
	requireFailure(t, log(&types.LoggingEnabled{
		TargetBucket: aws.String("missing"),
		TargetPrefix: aws.String(""),
	}), 400, "InvalidTargetBucketForLogging")

	require.NoError(t, log(nil))
	require.Nil(t, logged())
}
