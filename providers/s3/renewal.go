package s3

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// A renewer has the credentials of an account. The SDK replaces them only when they end, and so a session that was
// revoked, or a file that another program has written again, would be refused for ever
// (https://github.com/aws/aws-sdk-go-v2/issues/2135). A renewer drops credentials that the store refuses. If the
// store has accepted them before, the error is Retryable, and the next attempt has the credentials that the source
// has now. If the refused ones are new, others would be refused, too.
type renewer struct {
	// reload reads the source again. It is nil if the caller gave the provider.
	reload func(context.Context) (aws.CredentialsProvider, error)
	signs  bool // whether it signs the SDK's requests, too

	reloading sync.Mutex
	provider  atomic.Pointer[aws.CredentialsProvider]
	last      atomic.Pointer[usedCredentials]
}

type usedCredentials struct {
	value             aws.Credentials
	replaced          *usedCredentials // replaced credentials of the same access key, or nil
	accepted, refused atomic.Bool      // whether the store has accepted or refused them
	dropped           bool             // whether they were dropped after they were refused
}

func newRenewer(p aws.CredentialsProvider, reload func(context.Context) (aws.CredentialsProvider, error)) *renewer {
	r := &renewer{reload: reload}
	r.provider.Store(&p)
	return r
}

// Retrieve returns the credentials for the next request.
func (r *renewer) Retrieve(ctx context.Context) (aws.Credentials, error) {
	before := r.last.Load()
	isRefused := before != nil && before.refused.Load() // before others are retrieved, which may be refused, too
	if isRefused {
		r.drop(ctx, before)
	}
	c, err := (*r.provider.Load()).Retrieve(ctx)
	if err != nil || before != nil && !isRefused && before.isSame(&c) {
		return c, err
	}
	next := &usedCredentials{value: c}
	if before != nil && before.value.AccessKeyID == c.AccessKeyID && before.value.SessionToken == c.SessionToken {
		next.replaced = &usedCredentials{value: before.value}
	}
	r.last.CompareAndSwap(before, next)
	return c, nil
}

func (u *usedCredentials) isSame(c *aws.Credentials) bool {
	return u.value.AccessKeyID == c.AccessKeyID && u.value.SecretAccessKey == c.SecretAccessKey &&
		u.value.SessionToken == c.SessionToken
}

// haveSigned reports whether a request has these credentials, or some of the same access key.
func (u *usedCredentials) haveSigned(r *http.Request) bool {
	return r == nil || strings.Contains(r.Header.Get("Authorization"), "Credential="+u.value.AccessKeyID+"/") &&
		r.Header.Get("X-Amz-Security-Token") == u.value.SessionToken
}

// see remembers that the store has accepted the credentials of a request.
func (r *renewer) see(response *http.Response) {
	if r == nil {
		return
	}
	last := r.last.Load()
	if last == nil || last.accepted.Load() {
		return
	}
	switch status := response.StatusCode; {
	case status == http.StatusBadRequest,
		status == http.StatusUnauthorized,
		status == http.StatusForbidden,
		status >= 500:
	case last.haveSigned(response.Request):
		last.accepted.Store(true)
	}
}

// drop makes the provider forget credentials that were refused.
func (r *renewer) drop(ctx context.Context, refused *usedCredentials) {
	r.reloading.Lock()
	defer r.reloading.Unlock()
	if refused.dropped {
		return
	}
	refused.dropped = true
	if r.reload != nil {
		if p, err := r.reload(ctx); err == nil { // otherwise the files may be incomplete at this moment
			r.provider.Store(&p)
			return
		}
	}
	if cache, ok := (*r.provider.Load()).(interface{ Invalidate() }); ok {
		cache.Invalidate()
	}
}

// refuse remembers that the store has refused the credentials of a request. It reports whether another attempt may
// have other credentials, which are accepted.
func (r *renewer) refuse(request *http.Request) (again bool) {
	last := r.last.Load()
	switch {
	case last == nil,
		request != nil && request.Header.Get("X-Amz-S3session-Token") != "": // the SDK's session of a directory bucket
		return false
	case !last.haveSigned(request):
		return true // the credentials were replaced meanwhile
	}
	last.refused.Store(true)
	// The request may have had the secret that was replaced.
	return last.accepted.Load() ||
		last.replaced != nil && last.replaced.value.SecretAccessKey != last.value.SecretAccessKey
}

// configure makes a client report which credentials the store accepts or refuses.
func (r *renewer) configure(o *awss3.Options) {
	if r.signs {
		o.HTTPSignerV4 = &secretSigner{logger: o.Logger, logs: o.ClientLogMode.IsSigning()}
		o.AuthSchemes = nil // the schemes have the SDK's signer
	}
	watch := middleware.InitializeMiddlewareFunc(
		"omnibucket:Renewal",
		func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			out, metadata, err := next.HandleInitialize(ctx, in)
			if isRefusal(err) && r.refuse(responseOf(err).Response.Request) {
				err = &replacedError{err}
			}
			return out, metadata, err
		},
	)
	o.APIOptions = append(
		o.APIOptions, func(stack *middleware.Stack) error { return stack.Initialize.Add(watch, middleware.Before) },
	)
}

// isRefusal reports whether a store has refused the credentials of a request.
func isRefusal(err error) bool {
	status := statusOf(err)
	if status < http.StatusBadRequest || status >= http.StatusInternalServerError {
		return false
	}
	e := fromResponse(err)
	return e.Code == storage.Unauthenticated && !e.Retryable && !e.Unknown
}

// A replacedError is the refusal of credentials that were replaced: the next attempt has
// others.
type replacedError struct{ refusal error }

func (e *replacedError) Error() string { return e.refusal.Error() }
func (e *replacedError) Unwrap() error { return e.refusal }

func areReplaced(err error) bool { return sdkerror.IsType[*replacedError](err) }

// A secretSigner signs the SDK's requests with the SDK's signer, which caches a signing key by access key for a
// day, although the secret may change.
type secretSigner struct {
	logger logging.Logger
	logs   bool
	last   atomic.Pointer[signerOfSecret]
}

type signerOfSecret struct {
	secret string
	signer *v4.Signer
}

// SignHTTP signs a request.
func (s *secretSigner) SignHTTP(
	ctx context.Context, c aws.Credentials, request *http.Request, hash, service, region string, at time.Time,
	opts ...func(*v4.SignerOptions),
) error {
	last := s.last.Load()
	if last == nil || last.secret != c.SecretAccessKey {
		last = &signerOfSecret{c.SecretAccessKey, v4.NewSigner(func(o *v4.SignerOptions) {
			o.Logger, o.LogSigning, o.DisableURIPathEscaping = s.logger, s.logs, true // as the SDK's client does
		})}
		s.last.Store(last)
	}
	return last.signer.SignHTTP(ctx, c, request, hash, service, region, at, opts...)
}

const deniedRemembered = time.Minute

// hiddenRefusal finds out whether a HEAD that failed with err was refused because of its credentials. It returns the
// error with the refusal, or nil. The response to a HEAD has no body with a code, so that ExpiredToken looks like any
// 400, and InvalidAccessKeyId like any 403 (https://github.com/aws/aws-sdk-js/issues/2219). The response to get has
// the code. Denied HEADs are frequent, so that get is called at most once a minute.
func (a *account) hiddenRefusal(err error, get func() error) error {
	status := statusOf(err)
	if status != http.StatusBadRequest && status != http.StatusForbidden ||
		isSkewed(responseOf(err).Response.Response) {
		return nil
	}
	if a.renewer == nil && !isOfSession(responseOf(err).Response.Response) {
		return nil
	}
	now := a.clock.now()
	if seen := a.denied.Load(); status == http.StatusForbidden && seen != nil && now.Sub(*seen) < deniedRemembered {
		return nil
	}
	if refused := get(); refused != nil {
		if e := asError(refused); e.Code == storage.Unauthenticated ||
			e.Status == http.StatusBadRequest && status == e.Status {
			return refused
		}
	}
	if status == http.StatusForbidden {
		a.denied.Store(&now)
	}
	return nil
}
