package s3server

import (
	"encoding/xml"
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/cors"
	"github.com/omnibucket/storage/s3server/internal/lifecycle"
	"github.com/omnibucket/storage/s3server/internal/notification"
	"github.com/omnibucket/storage/s3server/internal/policy"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/tagging"
	"github.com/omnibucket/storage/s3server/internal/website"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

const (
	enabled   = "Enabled"
	suspended = "Suspended"
)

// settings are the settings of a bucket. Their values are replaced and never changed.
type settings struct {
	versioning string // "" if it never kept versions
	cors       *cors.Configuration
	policy     *policy.Policy
	block      *accessBlock
	ownership  string // "" means no controls, which is the same as ObjectWriter
	lifecycle  *lifecycle.Configuration
	acl        accessList
	locking    *lockSettings // nil if the bucket cannot lock objects

	tags         []tagging.Tag
	encryption   *encryptionRule // nil means AES256
	payer        string          // "Requester" if the requester pays
	acceleration string          // "" if nobody has set it
	logging      []byte          // as it was sent; nil without logging
	notification *notification.Configuration
	website      *website.Configuration
}

// defaultSettings are those of a bucket created after April 2023.
var defaultSettings = settings{
	block:     &accessBlock{BlockPublicAcls: true, IgnorePublicAcls: true, BlockPublicPolicy: true, RestrictPublicBuckets: true},
	ownership: ownerEnforced,
}

// newSettings returns the settings of a new bucket. Only a strict server blocks public access to it.
func newSettings(c *Config) settings {
	s := defaultSettings
	if !c.Strict {
		s.ownership, s.block = "", nil
	}
	return s
}

// setting changes the bucket of the request and returns this status.
func (r *request) setting(status int, f func(*bucket) error) error {
	if err := r.server.store.changeBucket(r.Context(), r.target.bucket, f); err != nil {
		return err
	}
	return r.done(status)
}

type versioningConfiguration struct {
	XMLName xml.Name `xml:"VersioningConfiguration"`
	Xmlns   string   `xml:"xmlns,attr,omitempty"`
	Status  string   `xml:",omitempty"`
	// MfaDelete can only be "Disabled": the server knows no devices.
	MfaDelete string         `xml:",omitempty"`
	Unknown   xmldoc.Unknown `xml:",any"`
}

func getVersioning(r *request) error {
	response := versioningConfiguration{Xmlns: xmldoc.Namespace}
	err := r.view(func(b *bucket) error {
		response.Status = b.versioning
		return nil
	})
	if err != nil {
		return err
	}
	return r.writeXML(response)
}

// putVersioning enables or suspends versioning, which cannot be turned off again.
func putVersioning(r *request) error {
	var asked versioningConfiguration
	if err := r.readXML(&asked); err != nil {
		return err
	}
	switch {
	case asked.MfaDelete == enabled:
		return s3error.New("NotImplemented").WithMessage("This server does not implement MFA delete")
	case asked.MfaDelete != "" && asked.MfaDelete != "Disabled", len(asked.Unknown) > 0:
		return s3error.New("MalformedXML")
	}
	switch asked.Status {
	case enabled, suspended:
	case "":
		return s3error.New("IllegalVersioningConfigurationException")
	default:
		return s3error.New("MalformedXML")
	}
	return r.setting(http.StatusOK, func(b *bucket) error {
		if b.locking != nil && asked.Status != enabled {
			return s3error.New("InvalidBucketState")
		}
		b.versioning = asked.Status
		return nil
	})
}
