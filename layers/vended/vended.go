// Package vended opens a bucket in memory or in a directory with vended credentials, for tests of
// programs that call [storage.Vend] and of their clients. Such a bucket shows and does what its
// credentials permit, until they expire by the bucket's clock. At a provider, the client sets
// CredentialsFor of its configuration instead.
//
//	store := memstore.NewDriver(memstore.Config{})
//	program := engine.New(store)
//	client := engine.New(store, driver.WithLayer(vended.New(ask)))
//
// The layer does not protect the store from the client, which can also open the directory without
// the layer.
package vended

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/signedurl"
)

// New returns the layer. Before each request, the layer calls ask with the key of the object, or with
// the prefix of a listing. ask returns the credentials for that key or prefix. If that is expensive,
// let it cache its result. It must return when its context ends.
//
// A request fails with PermissionDenied if the credentials do not permit it, and with Unauthenticated
// if they have expired or are not of this bucket. If ask fails, the request fails with the Code of that
// error, or with Unauthenticated if that error has no Code.
//
// Signing is Unsupported. If ask is nil, every call fails with InvalidArgument. If the store is neither
// in memory nor a directory, every call fails with Unsupported.
func New(ask func(ctx context.Context, key string) (*storage.VendedCredentials, error)) driver.Layer {
	return func(d driver.Driver) driver.Driver {
		if ask == nil {
			return refuse(d, argument.Invalid("vended.New", "needs a function that returns credentials", ""))
		}
		// Only stores in memory and in directories have an origin that checks vended credentials.
		origin, ok := d.Describe().Origin.(signedurl.Origin)
		if !ok {
			return refuse(d, errForeign)
		}
		// The methods of objectDriver call next. Methods that it lacks are those of Driver, which refuses all.
		return &objectDriver{Driver: refuse(d, errDenied), next: d, ask: ask, origin: origin}
	}
}

// refuse returns a driver whose every call fails with err.
func refuse(d driver.Driver, err error) driver.Driver {
	return driver.Intercept(d, func(context.Context, string, func(context.Context) error) error { return err })
}

var (
	errDenied = &storage.Error{
		Code: storage.PermissionDenied,
		Err:  errors.New("the vended credentials do not permit this request"),
		Hint: "ask for credentials with this prefix and this right",
	}
	errForeign = &storage.Error{
		Code: storage.Unsupported,
		Err:  errors.New("layers/vended is for buckets in memory and in directories"),
		Hint: "set CredentialsFor in the configuration of the provider",
	}
)

// withheld has the features that the layer turns off, because they would bypass the credentials. A
// request with two keys, such as a copy on the server, needs two sets of credentials. Signing and
// vending would make new credentials.
const withheld = signedurl.Features | storage.ServerCopy | storage.ServerCompose | storage.ServerMove |
	storage.ServerAppend | storage.Vending

// An objectDriver makes only the requests that its credentials permit. The embedded driver refuses
// all other methods, even methods that a later version of [driver.Driver] adds.
type objectDriver struct {
	driver.Driver
	next   driver.Driver
	ask    func(ctx context.Context, key string) (*storage.VendedCredentials, error)
	origin signedurl.Origin
}

// Describe returns the description of the store, without features that bypass the credentials or change
// settings.
func (d *objectDriver) Describe() driver.Description {
	desc := d.next.Describe()
	desc.Features &^= withheld
	desc.Places = func() []driver.Place { return driver.PlacesOf(d.next) }
	desc.PublicBaseURL = ""
	desc.NeedsSigningBase = false
	desc.Origin = nil
	desc.EnableVersions = nil
	desc.EnableObjectLock = nil
	desc.EnableSoftDelete = nil
	desc.SigningHint = "sign in the program that has the bucket"
	desc.VendingHint = "vend in the program that has the bucket"
	return desc
}

// Locate returns the zero reference, so that copies go through the process, with the credentials of
// both sides.
func (d *objectDriver) Locate(string) driver.ObjectRef { return driver.ObjectRef{} }

// Native returns nil, because a client of the store would bypass the credentials.
func (d *objectDriver) Native() any { return nil }

// rights asks for the credentials for a key, verifies them, and returns what they permit.
func (d *objectDriver) rights(ctx context.Context, key string) (storage.Rights, error) {
	credentials, err := d.ask(ctx, key)
	if err != nil {
		return storage.Rights{}, askError(ctx, err)
	}
	if credentials == nil {
		return storage.Rights{}, &storage.Error{
			Code: storage.Unauthenticated,
			Err:  errors.New("there are no credentials for the key"),
		}
	}

	keys, err := d.origin.VerifyingKeys(ctx)
	if err != nil {
		return storage.Rights{}, err
	}
	grant, status := signedurl.VerifyVended(keys, d.next.Describe().Bucket, credentials.Token, d.origin.Now())
	if status == signedurl.Expired {
		return storage.Rights{}, &storage.Error{
			Code: storage.Unauthenticated,
			Err:  errors.New("the vended credentials have expired"),
			Hint: "ask for new credentials",
		}
	}
	if status != signedurl.Valid {
		return storage.Rights{}, &storage.Error{
			Code: storage.Unauthenticated,
			Err:  errors.New("the vended credentials are not of this bucket"),
			Hint: "check that they are unchanged, and that the program and its client open the same bucket",
		}
	}

	if !strings.HasPrefix(key, grant.Prefix) {
		return storage.Rights{}, errDenied
	}
	return grant.Rights, nil
}

// askError returns the error of a request for which the function ask has failed with err. An error
// without a code becomes Unauthenticated.
func askError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if _, hasCode := errors.AsType[*storage.Error](err); hasCode {
		return err
	}
	return &storage.Error{Code: storage.Unauthenticated, Err: err}
}

// readRights returns the rights of the credentials for the object. It fails with PermissionDenied if
// they do not permit reading it, or if r names a version.
func (d *objectDriver) readRights(ctx context.Context, r *driver.GetRequest) (storage.Rights, error) {
	rights, err := d.rights(ctx, r.Key)
	if err != nil {
		return storage.Rights{}, err
	}
	if !rights.Read || r.Version != "" {
		return storage.Rights{}, errDenied
	}
	return rights, nil
}

// hideMissing returns the error of a read. It hides that an object is missing if the credentials do not
// permit listing, as the providers do.
func hideMissing(rights storage.Rights, err error) error {
	if storage.CodeOf(err) == storage.ObjectNotFound && !rights.List {
		return errDenied
	}
	return err
}

// Get reads an object if the credentials permit reading it.
func (d *objectDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	rights, err := d.readRights(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	attrs, body, err := d.next.Get(ctx, r)
	return attrs, body, hideMissing(rights, err)
}

// Head returns the attributes of an object if the credentials permit reading it.
func (d *objectDriver) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	rights, err := d.readRights(ctx, r)
	if err != nil {
		return nil, err
	}
	attrs, err := d.next.Head(ctx, r)
	return attrs, hideMissing(rights, err)
}

// List returns a page if the credentials permit listing the prefix.
func (d *objectDriver) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	rights, err := d.rights(ctx, r.Prefix)
	if err != nil {
		return nil, err
	}
	if !rights.List {
		return nil, errDenied
	}
	return d.next.List(ctx, r)
}

// Delete removes an object if the credentials permit removing it. They never permit removing a version.
func (d *objectDriver) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	rights, err := d.rights(ctx, r.Key)
	if err != nil {
		return err
	}
	if !rights.Remove || r.Version != "" || r.BypassGovernance {
		return errDenied
	}
	return d.next.Delete(ctx, r)
}

// DeleteBatch removes the objects one by one.
func (d *objectDriver) DeleteBatch(ctx context.Context, r []driver.DeleteRequest) []error {
	errs := make([]error, len(r))
	for i := range r {
		errs[i] = d.Delete(ctx, &r[i])
	}
	return errs
}

// checkWrite returns an error if the credentials do not permit storing an object with the controls c.
// Vended credentials never permit tags, locks or public access.
func (d *objectDriver) checkWrite(ctx context.Context, key string, c *storage.Controls) error {
	rights, err := d.rights(ctx, key)
	if err != nil {
		return err
	}
	if !rights.Write {
		return errDenied
	}
	if c == nil {
		return nil
	}
	hasLock := c.LegalHold || c.Retention != storage.Retention{}
	if len(c.Tags) > 0 || c.PublicRead || hasLock {
		return errDenied
	}
	return nil
}

// Put stores an object if the credentials permit writing it.
func (d *objectDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	if err := d.checkWrite(ctx, r.Key, &r.Controls); err != nil {
		return nil, err
	}
	return d.next.Put(ctx, r)
}

// BeginParts begins a multipart upload if the credentials permit writing the object.
func (d *objectDriver) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	if err := d.checkWrite(ctx, r.Key, &r.Controls); err != nil {
		return "", err
	}
	return d.next.BeginParts(ctx, r)
}

// PutPart stores a part if the credentials permit writing the object.
func (d *objectDriver) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	if err := d.checkWrite(ctx, r.Key, nil); err != nil {
		return driver.Part{}, err
	}
	return d.next.PutPart(ctx, r)
}

// CompleteParts completes a multipart upload if the credentials permit writing the object.
func (d *objectDriver) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	if err := d.checkWrite(ctx, r.Put.Key, &r.Put.Controls); err != nil {
		return nil, err
	}
	return d.next.CompleteParts(ctx, r)
}

// AbortParts aborts a multipart upload if the credentials permit writing the object.
func (d *objectDriver) AbortParts(ctx context.Context, key, upload string) error {
	if err := d.checkWrite(ctx, key, nil); err != nil {
		return err
	}
	return d.next.AbortParts(ctx, key, upload)
}

// ListParts lists the parts of an upload if the credentials permit writing the object.
func (d *objectDriver) ListParts(ctx context.Context, r *driver.ListPartsRequest) (*driver.PartPage, error) {
	if err := d.checkWrite(ctx, r.Key, nil); err != nil {
		return nil, err
	}
	return d.next.ListParts(ctx, r)
}
