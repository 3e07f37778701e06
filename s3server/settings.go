package s3server

import (
	"encoding/xml"
	"net/http"
)

const (
	enabled   = "Enabled"
	suspended = "Suspended"
)

// settings are the settings of a bucket. Their values are replaced and never changed.
type settings struct {
	versioning string // "" if it never kept versions
	cors       *corsConfiguration
	policy     *policy
	block      *accessBlock
	ownership  string // "" means no controls, which is the same as ObjectWriter
	lifecycle  []byte // as it was sent
	acl        accessList
	locking    *lockSettings // nil if the bucket cannot lock objects
}

// defaultSettings are those of a bucket created after April 2023.
var defaultSettings = settings{
	block:     &accessBlock{BlockPublicAcls: true, IgnorePublicAcls: true, BlockPublicPolicy: true, RestrictPublicBuckets: true},
	ownership: ownerEnforced,
}

// setting changes the bucket of the request and returns this status.
func (r *request) setting(status int, f func(*bucket) error) error {
	err := r.change(func(b *bucket) ([]piece, error) { return nil, f(b) })
	if err != nil {
		return err
	}
	return r.done(status)
}

type versioningConfiguration struct {
	XMLName xml.Name `xml:"VersioningConfiguration"`
	Xmlns   string   `xml:"xmlns,attr,omitempty"`
	Status  string   `xml:",omitempty"`
}

func (r *request) getVersioning() error {
	response := versioningConfiguration{Xmlns: namespace}
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
func (r *request) putVersioning() error {
	var asked versioningConfiguration
	if err := r.readXML(&asked); err != nil {
		return err
	}
	switch asked.Status {
	case enabled, suspended:
	case "":
		return newError("IllegalVersioningConfigurationException")
	default:
		return newError("MalformedXML")
	}
	return r.setting(http.StatusOK, func(b *bucket) error {
		if b.locking != nil && asked.Status != enabled {
			return newError("InvalidBucketState")
		}
		b.versioning = asked.Status
		return nil
	})
}

type lifecycleConfiguration struct {
	XMLName xml.Name `xml:"LifecycleConfiguration"`
	Rule    []struct {
		ID                                                                                                   string
		Status                                                                                               string
		Filter, Prefix                                                                                       *struct{}
		Expiration, NoncurrentVersionExpiration, AbortIncompleteMultipartUpload, NoncurrentVersionTransition *struct{}
		Transition                                                                                           []struct{}
	}
}

// putLifecycle stores the rules as they were sent. The server does not apply them.
func (r *request) putLifecycle() error {
	if err := r.needDigest(); err != nil {
		return err
	}
	document, err := r.readDocument()
	if err != nil {
		return err
	}
	var asked lifecycleConfiguration
	if err := parseXML(document, &asked); err != nil {
		return err
	}
	if err := asked.check(); err != nil {
		return err
	}
	return r.setting(http.StatusOK, func(b *bucket) error {
		b.lifecycle = document
		return nil
	})
}

func (c *lifecycleConfiguration) check() error {
	const maxRules, maxID = 1000, 255
	if len(c.Rule) == 0 || len(c.Rule) > maxRules {
		return newError("MalformedXML")
	}
	ids := map[string]bool{}
	for _, rule := range c.Rule {
		acts := rule.Expiration != nil || rule.NoncurrentVersionExpiration != nil || rule.AbortIncompleteMultipartUpload != nil ||
			rule.NoncurrentVersionTransition != nil || len(rule.Transition) > 0
		switch {
		case rule.Status != enabled && rule.Status != "Disabled", (rule.Filter == nil) == (rule.Prefix == nil):
			return newError("MalformedXML")
		case !acts:
			return newError("InvalidRequest").withMessage("At least one action needs to be specified in a rule.")
		case len(rule.ID) > maxID:
			return newError("InvalidArgument").withMessage("ID length should not exceed allowed limit of 255")
		case rule.ID != "" && ids[rule.ID]:
			return newError("InvalidArgument").withMessage("Rule ID must be unique. Found same ID for more than one rule")
		}
		ids[rule.ID] = true
	}
	return nil
}

func (r *request) getLifecycle() error {
	var document []byte
	err := r.view(func(b *bucket) error {
		if document = b.lifecycle; document == nil {
			return newError("NoSuchLifecycleConfiguration", "BucketName", b.name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.w.Header().Set("Content-Type", "application/xml")
	r.w.WriteHeader(http.StatusOK)
	r.send(document)
	return nil
}

func (r *request) deleteLifecycle() error {
	return r.setting(http.StatusNoContent, func(b *bucket) error {
		b.lifecycle = nil
		return nil
	})
}
