package s3server

import (
	"encoding/xml"
	"net/http"
	"slices"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

type encryptionConfiguration struct {
	XMLName xml.Name `xml:"ServerSideEncryptionConfiguration"`
	Xmlns   string   `xml:"xmlns,attr,omitempty"`
	Rule    []encryptionRule
	Unknown xmldoc.Unknown `xml:",any"`
}

// An encryptionRule says how a bucket encrypts objects that do not say it themselves.
type encryptionRule struct {
	ApplyServerSideEncryptionByDefault *struct {
		SSEAlgorithm   string
		KMSMasterKeyID string         `xml:",omitempty"`
		Unknown        xmldoc.Unknown `xml:",any"`
	}
	BucketKeyEnabled       bool
	BlockedEncryptionTypes *struct{ EncryptionType []string } // "SSE-C" or "NONE"
	Unknown                xmldoc.Unknown                     `xml:",any"`
}

// blocksCustomerKeys reports whether the bucket refuses SSE-C.
func (e *encryptionRule) blocksCustomerKeys() bool {
	return e != nil && e.BlockedEncryptionTypes != nil && slices.Contains(e.BlockedEncryptionTypes.EncryptionType, "SSE-C")
}

// standard returns the encryption of an object whose write asks for none. keyed is whether the
// write has the header about bucket keys, which then decides.
func (e *encryptionRule) standard(asked encryption, keyed bool) encryption {
	asked.algorithm = byStore
	if e == nil || e.ApplyServerSideEncryptionByDefault == nil {
		return asked
	}
	d := e.ApplyServerSideEncryptionByDefault
	asked.algorithm, asked.kmsKey = d.SSEAlgorithm, d.KMSMasterKeyID
	if !keyed {
		asked.bucketKey = e.BucketKeyEnabled && d.SSEAlgorithm == byKMS
	}
	return asked
}

func (c *encryptionConfiguration) check() error {
	if len(c.Rule) != 1 || len(c.Unknown) > 0 || len(c.Rule[0].Unknown) > 0 {
		return s3error.New("MalformedXML")
	}
	if b := c.Rule[0].BlockedEncryptionTypes; b != nil {
		for _, kind := range b.EncryptionType {
			if kind != "SSE-C" && kind != "NONE" || kind == "NONE" && len(b.EncryptionType) > 1 {
				return s3error.New("MalformedXML")
			}
		}
	}
	d := c.Rule[0].ApplyServerSideEncryptionByDefault
	switch {
	case d == nil:
		return nil
	case d.SSEAlgorithm != byStore && d.SSEAlgorithm != byKMS && d.SSEAlgorithm != byKMSTwice, len(d.Unknown) > 0:
		return s3error.New("MalformedXML")
	case d.SSEAlgorithm == byStore && d.KMSMasterKeyID != "":
		return s3error.New("InvalidArgument", "ArgumentName", "ApplyServerSideEncryptionByDefault").
			WithMessage("a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse")
	}
	return nil
}

// getBucketEncryption returns AES256 for a bucket without a rule: since January 2023 there is no
// bucket without encryption.
func getBucketEncryption(r *request) error {
	response := encryptionConfiguration{Xmlns: xmldoc.Namespace}
	err := r.view(func(b *bucket) error {
		var rule encryptionRule
		if b.encryption != nil {
			rule = *b.encryption
		}
		if rule.ApplyServerSideEncryptionByDefault == nil {
			rule.ApplyServerSideEncryptionByDefault = &struct {
				SSEAlgorithm   string
				KMSMasterKeyID string         `xml:",omitempty"`
				Unknown        xmldoc.Unknown `xml:",any"`
			}{SSEAlgorithm: byStore}
		}
		response.Rule = []encryptionRule{rule}
		return nil
	})
	if err != nil {
		return err
	}
	return r.writeXML(response)
}

func putBucketEncryption(r *request) error {
	if err := r.needDigest(); err != nil {
		return err
	}
	var asked encryptionConfiguration
	if err := r.readXML(&asked); err != nil {
		return err
	}
	if err := asked.check(); err != nil {
		return err
	}
	return r.setting(http.StatusOK, func(b *bucket) error {
		b.encryption = &asked.Rule[0]
		return nil
	})
}

// deleteBucketEncryption resets the bucket to AES256.
func deleteBucketEncryption(r *request) error {
	return r.setting(http.StatusNoContent, func(b *bucket) error {
		b.encryption = nil
		return nil
	})
}

// hasEncryptionRule reports whether somebody has set the encryption of the bucket. AWS then lets
// an object be copied to itself.
func hasEncryptionRule(r *request) (has bool) {
	_ = r.view(func(b *bucket) error {
		has = b.encryption != nil
		return nil
	})
	return has
}
