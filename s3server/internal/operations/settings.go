package operations

import (
	"encoding/xml"
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// changeSettings changes the settings of the request's bucket with f, and then responds with this status.
func changeSettings(r *request.Request, status int, f func(*state.Bucket) error) error {
	if err := r.Server.Store.ChangeBucket(r.HTTP.Context(), r.Target.Bucket, f); err != nil {
		return err
	}
	return r.Done(status)
}

// getSetting returns a handler that responds with an XML element of this name. f returns its content for
// the request's bucket, which it must not modify.
func getSetting(name string, f func(*state.Bucket) (any, error)) handler {
	return func(r *request.Request) error {
		b, err := r.Bucket()
		if err != nil {
			return err
		}
		document, err := f(b)
		if err != nil {
			return err
		}
		return r.WriteXML(name, document)
	}
}

// getSettingIf is like getSetting, but its handler fails with this code if f returns nil.
func getSettingIf[T any](name, code string, f func(*state.Bucket) *T) handler {
	return getSetting(name, func(b *state.Bucket) (any, error) {
		if document := f(b); document != nil {
			return document, nil
		}
		return nil, s3error.New(code, "BucketName", b.Name)
	})
}

// putSetting returns a handler that stores the request's document in the bucket's settings. decode decodes the
// document, and set stores it.
func putSetting[T any](decode func(*request.Request, any) error, set func(*state.Bucket, *T)) handler {
	return func(r *request.Request) error {
		var doc T
		if err := decode(r, &doc); err != nil {
			return err
		}
		return changeSettings(r, http.StatusOK, func(b *state.Bucket) error {
			set(b, &doc)
			return nil
		})
	}
}

// deleteSetting returns a handler that removes settings of the request's bucket with f.
func deleteSetting(f func(*state.Bucket)) handler {
	return func(r *request.Request) error {
		return changeSettings(r, http.StatusNoContent, func(b *state.Bucket) error {
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

// putVersioning enables or suspends versioning, which cannot be turned off again.
func putVersioning(r *request.Request) error {
	var doc versioningConfiguration
	if err := r.ReadXML(&doc); err != nil {
		return err
	}
	if doc.MfaDelete == state.Enabled {
		return s3error.New("NotImplemented").WithMessage("This server does not implement MFA delete")
	}
	if doc.MfaDelete != "" && doc.MfaDelete != "Disabled" {
		return s3error.New("MalformedXML")
	}

	switch doc.Status {
	case state.Enabled, state.Suspended:
		// These are valid.
	case "":
		return s3error.New("IllegalVersioningConfigurationException")
	default:
		return s3error.New("MalformedXML")
	}

	// Object lock needs versions.
	return changeSettings(r, http.StatusOK, func(b *state.Bucket) error {
		if b.Locking != nil && doc.Status != state.Enabled {
			return s3error.New("InvalidBucketState")
		}
		b.Versioning = doc.Status
		return nil
	})
}
