// Package cloudfront purges the caches of Amazon CloudFront, with Amazon's credentials.
//
//	purger, err := cloudfront.NewPurger(ctx, cloudfront.Config{DistributionID: "EDFDVBD6EXAMPLE"})
//	hook, err := cdn.NewPurgeHook(cdn.PurgeConfig{
//		Purger: purger, BaseURL: "https://cdn.example.com/",
//		OnError: func(ctx context.Context, urls []string, err error) { slog.WarnContext(ctx, "stale", "err", err) },
//	})
//
// Package cdn signs URLs and cookies of CloudFront.
package cloudfront

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/cdnapi"
	"github.com/omnibucket/storage/internal/escape"
	"github.com/omnibucket/storage/internal/redact"
)

const (
	provider = "cloudfront"
	endpoint = "https://cloudfront.amazonaws.com"
	version  = "2020-05-31"
	region   = "us-east-1" // CloudFront has one endpoint
	// maxPaths is CloudFront's limit for a distribution: at most maxPaths paths can be invalidated
	// at the same time.
	// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/InvalidationLimits.html
	maxPaths = 3000
)

// A Config names a distribution. Its credentials must permit cloudfront:CreateInvalidation for the
// distribution.
type Config struct {
	DistributionID string // such as EDFDVBD6EXAMPLE
	// Credentials signs the requests. If it is nil, the credentials come from the SDK's default chain (environment,
	// shared files, container, instance).
	Credentials aws.CredentialsProvider `json:"-"`
	HTTPClient  *http.Client            // nil means one with the transport of http.DefaultClient
}

// Format shows the fields of c that are set, without secrets. It ignores the verb.
func (c Config) Format(s fmt.State, _ rune) { redact.Fields(s, c, "Credentials") }

// A Purger purges a distribution. It implements cdn.Purger, and is safe for concurrent use.
type Purger struct {
	distribution string
	credentials  aws.CredentialsProvider
	api          *cdnapi.Client
	signer       *v4.Signer
	now          func() time.Time
	reference    func() string // a new CallerReference
}

// Format shows the id of the distribution. It ignores the verb.
func (p *Purger) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "{DistributionID:%s}", p.distribution)
}

// NewPurger returns a purger, and makes no request. It fails with InvalidArgument if a field of c
// is not valid, or if the files of the default chain cannot be read.
func NewPurger(ctx context.Context, c Config) (*Purger, error) {
	if c.DistributionID == "" || escape.All(c.DistributionID) != c.DistributionID {
		return nil, argument.Invalid("Config.DistributionID", "must be an id, such as EDFDVBD6EXAMPLE", "")
	}
	if c.Credentials == nil {
		cfg, err := config.LoadDefaultConfig(ctx)
		if err != nil || cfg.Credentials == nil {
			return nil, argument.Invalid("Config.Credentials", "must be given, because the default chain has none", "")
		}
		c.Credentials = cfg.Credentials
	}
	return &Purger{
		distribution: c.DistributionID,
		credentials:  c.Credentials,
		api:          cdnapi.New(provider, c.HTTPClient),
		signer:       v4.NewSigner(),
		now:          time.Now,
		reference:    rand.Text,
	}, nil
}

// Purge invalidates the paths of urls, in requests of at most 3,000 paths
// (https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html). It
// returns when CloudFront has accepted the requests, before all edge servers have purged the paths.
//
// Amazon bills each path. A key that contains one of !$&'()+,:;=@~ counts as two paths, because
// viewers may or may not escape the character, and CloudFront caches both forms.
//
// Purge fails with Unauthenticated if there are no credentials, and with PermissionDenied if they
// lack the permission. It fails with RateLimited while too many invalidations are in progress, and
// with InvalidArgument if a URL is not valid.
func (p *Purger) Purge(ctx context.Context, urls []string) error {
	var invalid []string
	for _, address := range urls {
		u, err := p.api.Parse(address)
		if err != nil {
			return err
		}
		query := ""
		if u.RawQuery != "" {
			query = "?" + u.RawQuery
		}
		for _, path := range cachedForms(u.EscapedPath()) {
			invalid = append(invalid, path+query)
		}
	}

	for batch := range slices.Chunk(invalid, maxPaths) {
		if err := p.invalidate(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// documented is a replacer that gives an escaped path the form that CloudFront documents for
// invalidations. In that form, a character is escaped only if it is not ASCII, or if RFC 1738 calls
// it unsafe. An asterisk stays escaped, because it would be a wildcard.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-specifying-objects.html
var documented = strings.NewReplacer(
	"%21", "!", "%24", "$", "%26", "&", "%27", "'", "%28", "(", "%29", ")", "%2B", "+", "%2C", ",", "%3A", ":",
	"%3B", ";", "%3D", "=", "%40", "@", "~", "%7E",
)

// cachedForms returns the one or two forms in which CloudFront may have cached an escaped path.
func cachedForms(escaped string) []string {
	if escaped == "" {
		escaped = "/"
	}
	if variant := documented.Replace(escaped); variant != escaped {
		return []string{escaped, variant}
	}
	return []string{escaped}
}

// An invalidationBatch is the body of CreateInvalidation.
type invalidationBatch struct {
	XMLName         xml.Name `xml:"http://cloudfront.amazonaws.com/doc/2020-05-31/ InvalidationBatch"`
	CallerReference string
	Paths           []string `xml:"Paths>Items>Path"`
	Quantity        int      `xml:"Paths>Quantity"`
}

// invalidate makes one CreateInvalidation request for at most maxPaths paths.
// https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html
func (p *Purger) invalidate(ctx context.Context, paths []string) error {
	body, err := xml.Marshal(invalidationBatch{CallerReference: p.reference(), Paths: paths, Quantity: len(paths)})
	if err != nil {
		return err
	}
	body = append([]byte(xml.Header), body...)
	target := endpoint + "/" + version + "/distribution/" + p.distribution + "/invalidation"
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return err
	}

	r.Header.Set("Content-Type", "text/xml")
	if err := p.sign(ctx, r, body); err != nil {
		return err
	}
	response, err := p.api.Do(ctx, r)
	if err == nil {
		return nil
	}
	return withRateLimit(err, response)
}

// sign signs a request and its body with the current credentials.
func (p *Purger) sign(ctx context.Context, r *http.Request, body []byte) error {
	credentials, err := p.credentials.Retrieve(ctx)
	if err != nil {
		return unauthenticated(ctx)
	}
	sum := sha256.Sum256(body)
	return p.signer.SignHTTP(ctx, credentials, r, hex.EncodeToString(sum[:]), provider, region, p.now())
}

// unauthenticated returns the error for missing credentials, in place of the SDK's error, whose
// text could quote a file or a response.
func unauthenticated(ctx context.Context) error {
	err := &storage.Error{
		Code: storage.Unauthenticated,
		Err:  errors.New("there are no credentials of Amazon"),
		Hint: "set Config.Credentials, or the credentials of the environment",
	}
	if ctx.Err() != nil {
		err = storage.AsError(ctx, ctx.Err())
	}
	err.Op = "Purge"
	err.Provider = provider
	return err
}

// withRateLimit sets the code of err to RateLimited if the response says that too many invalidations
// are in progress, although its status 400 would mean InvalidArgument.
func withRateLimit(err error, response []byte) error {
	var answer struct {
		Code string `xml:"Error>Code"`
	}
	storageErr, ok := errors.AsType[*storage.Error](err)
	if !ok || xml.Unmarshal(response, &answer) != nil {
		return err
	}
	switch answer.Code {
	case "TooManyInvalidationsInProgress", "Throttling", "ThrottlingException":
		storageErr.Code = storage.RateLimited
		storageErr.Retryable = true
	}
	return storageErr
}
