// Package awskms encrypts the data keys of layers/encrypt with a symmetric key of AWS KMS.
//
//	keys, err := awskms.New(ctx, awskms.Config{Key: "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-…"})
//	layer, err := encrypt.New(encrypt.Config{Keys: keys})
//
// Each write of an object makes one request Encrypt. Each read makes one request Decrypt, unless
// the bucket remembers the data key: see [encrypt.Keys]. The encryption context has the bucket as
// "bucket" and the name of the object as "object". KMS decrypts only with the same context. A
// policy can have conditions about it (kms:EncryptionContext:bucket), and CloudTrail logs it in
// plain text.
//
// Errors are PermissionDenied if the service refuses access or the key is disabled, Unauthenticated
// for wrong credentials, and InvalidArgument if there is no such key. The bucket, and not the SDK,
// repeats a request after RateLimited and Unavailable. If the data key belongs to another object,
// the error is ChecksumMismatch.
package awskms

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"filippo.io/age"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	awssdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/layers/encrypt"
	"github.com/omnibucket/storage/layers/encrypt/internal/kms"
)

const service = "AWS KMS"

// A Config names a key of AWS KMS.
type Config struct {
	// Key is the ARN of a symmetric key for encryption. It is required. Requests go to the region in the ARN. Each
	// replica of a multi-Region key (mrk-…) decrypts what another one has encrypted. Aliases are refused: each object
	// stores the name of its key, and an alias may later belong to another key.
	Key string
	// Bucket replaces the bucket's name in the encryption context. Data keys can only be decrypted
	// with the name that they were encrypted with. If a service such as replication has copied the
	// objects to a bucket with another name, set Bucket to the name of the original bucket.
	Bucket string
	// AWS is the configuration of Amazon's SDK: the credentials, and possibly an endpoint. If AWS
	// is nil, both come from the SDK's default chain.
	AWS *aws.Config
}

// New returns [encrypt.Keys] that use the key of c. It sends no request to KMS.
//
// It fails with InvalidArgument if c.Key is not the ARN of a key, and with Unauthenticated if the
// configuration of the default chain cannot be read.
func New(ctx context.Context, c Config) (encrypt.Keys, error) {
	keyARN, id, ok := parseKey(c.Key)
	if !ok {
		return nil, &storage.Error{
			Code: storage.InvalidArgument,
			Op:   "awskms.New",
			Err:  errors.New("the key must be the ARN of a key of AWS KMS: arn:aws:kms:REGION:ACCOUNT:key/ID"),
			Hint: "show the ARN of an alias's key: aws kms describe-key --key-id ALIAS",
		}
	}

	if c.AWS == nil {
		chain, err := config.LoadDefaultConfig(ctx, config.WithRegion(keyARN.Region))
		if err != nil {
			return nil, &storage.Error{
				Code: storage.Unauthenticated,
				Op:   "awskms.New",
				Err:  err,
				Hint: "correct the configuration of AWS",
			}
		}
		c.AWS = &chain
	}
	client := awssdk.NewFromConfig(*c.AWS, func(o *awssdk.Options) {
		o.Region = keyARN.Region
		// The bucket repeats a request that has failed.
		o.Retryer = aws.NopRetryer{}
		o.RetryMaxAttempts = 0
		o.HTTPClient = withLimits(o.HTTPClient)
		if o.Credentials != nil {
			o.Credentials = credentials{o.Credentials}
		}
	})

	// The replicas of a multi-Region key have the same id in all regions, and are one key.
	name := keyARN
	if strings.HasPrefix(id, "mrk-") {
		name.Region = ""
	}
	return &kms.Key{
		Type:    "github.com/omnibucket/awskms",
		Name:    name.String(),
		Bucket:  c.Bucket,
		Service: key{client, c.Key},
	}, nil
}

// parseKey returns the ARN of a key and the key's id. ok is false if text is no such ARN.
func parseKey(text string) (keyARN arn.ARN, id string, ok bool) {
	keyARN, err := arn.Parse(text)
	if err != nil || keyARN.Service != "kms" || keyARN.Region == "" {
		return arn.ARN{}, "", false
	}
	id, ok = strings.CutPrefix(keyARN.Resource, "key/")
	return keyARN, id, ok && id != ""
}

// withLimits returns a client of the SDK or of net/http with the limits of [kms.Client]. A client of
// any other type stays as it is.
func withLimits(client awssdk.HTTPClient) awssdk.HTTPClient {
	switch c := client.(type) {
	case *awshttp.BuildableClient:
		return kms.Client(&http.Client{Transport: c.GetTransport()})
	case *http.Client:
		return kms.Client(c)
	}
	return client
}

type key struct {
	client *awssdk.Client
	arn    string
}

// contextOf returns the encryption context of an object, without which KMS does not decrypt its data
// key.
func contextOf(obj encrypt.Object) map[string]string {
	bound := map[string]string{"object": obj.Key}
	if obj.Bucket != "" {
		bound["bucket"] = obj.Bucket
	}
	return bound
}

// Encrypt encrypts the data key with AWS KMS. It implements kms.Service.
func (k key) Encrypt(ctx context.Context, dataKey []byte, obj encrypt.Object) ([]byte, []string, error) {
	output, err := k.client.Encrypt(ctx, &awssdk.EncryptInput{
		KeyId:             &k.arn,
		Plaintext:         dataKey,
		EncryptionContext: contextOf(obj),
	})
	if err != nil {
		return nil, nil, requestError(err, dataKey)
	}
	if aws.ToString(output.KeyId) != k.arn || len(output.CiphertextBlob) == 0 {
		return nil, nil, kms.Damaged(service, "the response to Encrypt is of another key")
	}
	return output.CiphertextBlob, nil, nil
}

// Decrypt decrypts a data key with AWS KMS. It implements kms.Service.
func (k key) Decrypt(ctx context.Context, body []byte, _ []string, obj encrypt.Object) ([]byte, error) {
	output, err := k.client.Decrypt(ctx, &awssdk.DecryptInput{
		KeyId:             &k.arn,
		CiphertextBlob:    body,
		EncryptionContext: contextOf(obj),
	})
	if err != nil {
		return nil, requestError(err)
	}
	if aws.ToString(output.KeyId) != k.arn {
		return nil, kms.Damaged(service, "the response to Decrypt is of another key")
	}
	return output.Plaintext, nil
}

// meanings maps the error codes of Encrypt and Decrypt, and the codes that all services of AWS
// have.
// https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html and CommonErrors.html
var meanings = kms.ByCode(map[kms.Meaning]string{
	{
		Code: storage.PermissionDenied,
		Hint: "permit kms:Encrypt to write and kms:Decrypt to read, in the policy of the key or of the credentials",
	}: "AccessDeniedException AccessDenied NotAuthorized OptInRequired",
	{Code: storage.PermissionDenied, Hint: kms.DisabledHint}:                     "DisabledException KMSInvalidStateException",
	{Code: storage.InvalidArgument, Hint: kms.MissingHint}:                       "NotFoundException",
	{Code: storage.InvalidArgument, Hint: "name a symmetric key for encryption"}: "InvalidKeyUsageException",
	{Code: storage.ChecksumMismatch, Hint: kms.WrongObjectHint}:                  "InvalidCiphertextException",
	{Code: storage.Unauthenticated}: `
		UnrecognizedClientException InvalidClientTokenId InvalidSignatureException IncompleteSignature
		SignatureDoesNotMatch
		ExpiredTokenException ExpiredToken MissingAuthenticationToken MissingAuthenticationTokenException RequestExpired`,
	{Code: storage.RateLimited}: "ThrottlingException Throttling RequestLimitExceeded TooManyRequestsException LimitExceededException",
	{Code: storage.Unavailable}: "DependencyTimeoutException KeyUnavailableException KMSInternalException InternalFailure InternalServiceError ServiceUnavailable",
})

// requestError returns the error of a request, without the given secrets.
func requestError(err error, secrets ...[]byte) error {
	apiErr, isAPIError := errors.AsType[smithy.APIError](err)
	if isAPIError && apiErr.ErrorCode() == "IncorrectKeyException" {
		return age.ErrIncorrectIdentity
	}

	// The SDK also makes a ResponseError if it has received no response.
	respErr, ok := errors.AsType[*awshttp.ResponseError](err)
	hasResponse := ok && respErr.Response != nil && respErr.Response.Response != nil && respErr.HTTPStatusCode() != 0
	if !hasResponse {
		return kms.NoResponse(service, err)
	}
	resp := kms.Response{
		Status:    respErr.HTTPStatusCode(),
		Header:    respErr.Response.Header,
		RequestID: respErr.ServiceRequestID(),
	}

	// "UnknownError" is the code that the SDK sets if the response has none.
	if isAPIError && apiErr.ErrorCode() != "UnknownError" {
		resp.Code = apiErr.ErrorCode()
		resp.Message = apiErr.ErrorMessage()
	}
	return kms.Failed(service, resp, meanings, secrets...)
}
