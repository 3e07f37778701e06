package s3

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
)

// A renewer returns the credentials of an account, and replaces credentials that the store refuses.
// The SDK replaces credentials only when they expire. The SDK would continue to use a revoked
// session, or the old content of a file (https://github.com/aws/aws-sdk-go-v2/issues/2135).
//
// If the store refuses credentials that it has accepted before, the error is Retryable. The next
// attempt gets the current credentials from their source. If the store has never accepted the
// credentials, the error is not Retryable, because new credentials from that source would be
// refused, too.
type renewer struct {
	// reload reads the source of the credentials again. It is nil if the caller gave the SDK's
	// provider.
	reload func(context.Context) (aws.CredentialsProvider, error)
	signs  bool // whether this renewer also signs the SDK's requests

	reloading running.Lock
	provider  atomic.Pointer[aws.CredentialsProvider]
	lastUsed  atomic.Pointer[usedCredentials]
}

type usedCredentials struct {
	value               aws.Credentials
	previous            *usedCredentials // former credentials with the same access key, or nil
	accepted, isRefused atomic.Bool      // whether the store has accepted or refused these credentials
	isDropped           bool             // whether these credentials were dropped after they were refused
}

func newRenewer(p aws.CredentialsProvider, reload func(context.Context) (aws.CredentialsProvider, error)) *renewer {
	r := &renewer{reload: reload, reloading: running.NewLock()}
	r.provider.Store(&p)
	return r
}

// Retrieve returns the credentials for the next request.
func (r *renewer) Retrieve(ctx context.Context) (aws.Credentials, error) {
	prev := r.lastUsed.Load()
	isRefused := prev != nil && prev.isRefused.Load() // read only once: another request may be refused meanwhile
	if isRefused {
		r.forget(ctx, prev)
	}
	c, err := (*r.provider.Load()).Retrieve(ctx)
	if err != nil || prev != nil && !isRefused && prev.isSame(&c) {
		return c, err
	}
	next := &usedCredentials{value: c}
	if prev != nil && prev.value.AccessKeyID == c.AccessKeyID && prev.value.SessionToken == c.SessionToken {
		next.previous = &usedCredentials{value: prev.value}
	}
	r.lastUsed.CompareAndSwap(prev, next)
	return c, nil
}

func (u *usedCredentials) isSame(c *aws.Credentials) bool {
	return u.value.AccessKeyID == c.AccessKeyID && u.value.SecretAccessKey == c.SecretAccessKey &&
		u.value.SessionToken == c.SessionToken
}

// haveSigned reports whether a request was signed with the access key and the session token of u.
// The request may have been signed with another secret of the same access key. If r is nil,
// haveSigned returns true.
func (u *usedCredentials) haveSigned(r *http.Request) bool {
	return r == nil || strings.Contains(r.Header.Get("Authorization"), "Credential="+u.value.AccessKeyID+"/") &&
		r.Header.Get("X-Amz-Security-Token") == u.value.SessionToken
}

// observe receives the responses of the store. If a response shows that the store has accepted the
// credentials of its request, observe records this. Every response shows this, unless the status is
// 400, 401, 403, or 500 and above.
func (r *renewer) observe(response *http.Response) {
	if r == nil {
		return
	}
	last := r.lastUsed.Load()
	if last == nil || last.accepted.Load() {
		return
	}
	status := response.StatusCode
	switch {
	case status == http.StatusBadRequest ||
		status == http.StatusUnauthorized ||
		status == http.StatusForbidden ||
		status >= 500:
	case last.haveSigned(response.Request):
		last.accepted.Store(true)
	}
}

// forget makes the provider forget credentials that were refused.
func (r *renewer) forget(ctx context.Context, creds *usedCredentials) {
	if r.reloading.Lock(ctx) != nil {
		return
	}
	defer r.reloading.Unlock()
	if creds.isDropped {
		return
	}
	creds.isDropped = true
	if r.reload != nil {
		if p, err := r.reload(ctx); err == nil { // an error may mean that the files are incomplete now
			r.provider.Store(&p)
			return
		}
	}
	if cache, ok := (*r.provider.Load()).(interface{ Invalidate() }); ok {
		cache.Invalidate()
	}
}

// refuse is called after the store has refused the credentials of a request. If the request had the
// current credentials, refuse marks them as refused. It returns true if another attempt may
// succeed, because it would use other credentials.
func (r *renewer) refuse(request *http.Request) (retry bool) {
	last := r.lastUsed.Load()
	if last == nil ||
		request != nil && request.Header.Get("X-Amz-S3session-Token") != "" { // a session of a directory bucket
		return false
	}
	if !last.haveSigned(request) {
		return true // other credentials have replaced those of the request
	}
	last.isRefused.Store(true)
	// The current credentials may have replaced older ones with the same access key but another
	// secret. The request may have been signed with the older secret, so another attempt may
	// succeed.
	return last.accepted.Load() ||
		last.previous != nil && last.previous.value.SecretAccessKey != last.value.SecretAccessKey
}

// configure makes a client report which credentials the store accepts or refuses.
func (r *renewer) configure(o *awss3.Options) {
	if r.signs {
		o.HTTPSignerV4 = &secretSigner{logger: o.Logger, logs: o.ClientLogMode.IsSigning()}
		o.AuthSchemes = nil // remove the old schemes, because they use another signer
	}
	watch := middleware.InitializeMiddlewareFunc(
		"omnibucket:Renewal",
		func(
			ctx context.Context, input middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			output, metadata, err := next.HandleInitialize(ctx, input)
			if isRefusal(err) && r.refuse(s3error.Response(err).Response.Request) {
				err = s3error.CredentialsReplaced(err)
			}
			return output, metadata, err
		},
	)
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(watch, middleware.Before)
	})
}

// isRefusal reports whether a store has refused the credentials of a request.
func isRefusal(err error) bool {
	status := s3error.Status(err)
	if status < http.StatusBadRequest || status >= http.StatusInternalServerError {
		return false
	}
	e := s3error.FromResponse(err)
	return e.Code == storage.Unauthenticated && !e.Retryable && !e.Unknown
}

// A secretSigner signs the SDK's requests. Whenever the secret changes, it makes a new signer of
// the SDK. An old signer would not notice the new secret: it caches a signing key for each access
// key, for a day.
type secretSigner struct {
	logger     logging.Logger
	logs       bool
	lastSigner atomic.Pointer[signerOfSecret]
}

type signerOfSecret struct {
	secret string
	signer *v4.Signer
}

// SignHTTP signs a request with the credentials c.
func (s *secretSigner) SignHTTP(
	ctx context.Context, c aws.Credentials, request *http.Request, hash, service, region string, t time.Time,
	opts ...func(*v4.SignerOptions),
) error {
	last := s.lastSigner.Load()
	if last == nil || last.secret != c.SecretAccessKey {
		last = &signerOfSecret{c.SecretAccessKey, v4.NewSigner(func(o *v4.SignerOptions) {
			o.Logger, o.LogSigning, o.DisableURIPathEscaping = s.logger, s.logs, true // as the SDK's client does
		})}
		s.lastSigner.Store(last)
	}
	return last.signer.SignHTTP(ctx, c, request, hash, service, region, t, opts...)
}
