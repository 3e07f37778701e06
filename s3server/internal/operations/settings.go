package s3server

import (
	"encoding/xml"
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// setting calls f to change the settings of the request's bucket. It then responds with the given
// status.
func (r *request) setting(status int, f func(*state.Bucket) error) error {
	if err := r.server.store.ChangeBucket(r.in.Context(), r.target.bucket, f); err != nil {
		return err
	}
	return r.done(status)
}

// show returns a handler that responds with an XML element with this name. f returns the element's
// content for the request's bucket, which f must not modify.
func show(name string, f func(*state.Bucket) (any, error)) handler {
	return func(r *request) error {
		b, err := r.bucket()
		if err != nil {
			return err
		}
		document, err := f(b)
		if err != nil {
			return err
		}
		return r.writeXML(name, document)
	}
}

// showIf is like show, but if f returns nil, the handler responds with an error with this code.
func showIf[T any](name, code string, f func(*state.Bucket) *T) handler {
	return show(name, func(b *state.Bucket) (any, error) {
		if document := f(b); document != nil {
			return document, nil
		}
		return nil, s3error.New(code, "BucketName", b.Name)
	})
}

// configure returns a handler that decodes the request's document and stores it in the bucket's
// settings.
func configure[T any](decode func(*request, any) error, set func(*state.Bucket, *T)) handler {
	return func(r *request) error {
		var asked T
		if err := decode(r, &asked); err != nil {
			return err
		}
		return r.setting(http.StatusOK, func(b *state.Bucket) error {
			set(b, &asked)
			return nil
		})
	}
}

// reset returns a handler that removes settings of the bucket.
func reset(f func(*state.Bucket)) handler {
	return func(r *request) error {
		return r.setting(http.StatusNoContent, func(b *state.Bucket) error {
			f(b)
			return nil
		})
	}
}

type versioningConfiguration struct {
	XMLName xml.Name `xml:"VersioningConfiguration"`
	Status  string   `xml:",omitempty"`
	// MfaDelete can only be "Disabled", because the server has no MFA devices.
	MfaDelete string `xml:",omitempty"`
}

// putVersioning enables or suspends versioning. Once enabled, versioning cannot be disabled again.
func putVersioning(r *request) error {
	var asked versioningConfiguration
	if err := r.readXML(&asked); err != nil {
		return err
	}
	if asked.MfaDelete == state.Enabled {
		return s3error.New("NotImplemented").WithMessage("This server does not implement MFA delete")
	}
	if asked.MfaDelete != "" && asked.MfaDelete != "Disabled" {
		return s3error.New("MalformedXML")
	}
	switch asked.Status {
	case state.Enabled, state.Suspended:
	case "":
		return s3error.New("IllegalVersioningConfigurationException")
	default:
		return s3error.New("MalformedXML")
	}
	return r.setting(http.StatusOK, func(b *state.Bucket) error {
		if b.Locking != nil && asked.Status != state.Enabled {
			return s3error.New("InvalidBucketState")
		}
		b.Versioning = asked.Status
		return nil
	})
}

func (h *Handler) newBucket(name, account string) *state.Bucket {
	return &state.Bucket{
		Name:     name,
		Account:  account,
		Region:   h.config.Region,
		Created:  h.now(),
		Settings: state.NewSettings(h.config.Strict),
	}
}

// bucket returns the request's bucket as it was when the request first looked it up. The caller
// must not modify it.
func (r *request) bucket() (b *state.Bucket, err error) {
	if r.found == nil {
		r.found, err = r.server.store.Bucket(r.in.Context(), r.target.bucket)
	}
	return r.found, err
}
