package gcs_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ruleControls are what an object has beside its properties.
type ruleControls struct {
	Contexts           *ruleContexts   `json:"contexts,omitempty"`
	Retention          *ruleRetention  `json:"retention,omitempty"`
	TemporaryHold      bool            `json:"temporaryHold,omitempty"`
	EventBasedHold     *bool           `json:"eventBasedHold,omitempty"`
	KeptUntil          *time.Time      `json:"retentionExpirationTime,omitempty"`
	CustomTime         string          `json:"customTime,omitempty"`
	KMSKeyName         string          `json:"kmsKeyName,omitempty"`
	CustomerEncryption *ruleEncryption `json:"customerEncryption,omitempty"`
}

type (
	ruleContexts struct {
		Custom map[string]*ruleContext `json:"custom"`
	}
	ruleContext struct {
		Value string `json:"value"`
	}
	ruleRetention struct {
		Mode  string    `json:"mode"`
		Until time.Time `json:"retainUntilTime"`
	}
	ruleEncryption struct {
		Algorithm string `json:"encryptionAlgorithm"`
		KeySHA256 string `json:"keySha256"`
	}
)

const (
	keyHeader   = "X-Goog-Encryption-Key"
	maxContexts = 50
)

// validContext reports whether Google keeps a key or value.
func validContext(text string) bool {
	if text == "" || len(text) > 256 || strings.ContainsAny(text, `'"\/`) {
		return false
	}
	return text[0] >= '0' && text[0] <= '9' || text[0]|0x20 >= 'a' && text[0]|0x20 <= 'z' || text[0] >= 0x80
}

// refused returns why a bucket does not take the controls of a new object.
func (o *ruleObject) refused(b *ruleBucket) *refusal {
	if o.Contexts != nil {
		for key, context := range o.Contexts.Custom {
			if context == nil || !validContext(key) || strings.HasPrefix(strings.ToLower(key), "goog") || !validContext(context.Value) {
				return bad("Invalid object context " + strconv.Quote(key))
			}
		}
		if len(o.Contexts.Custom) > maxContexts {
			return bad("Too many object contexts")
		}
	}
	if o.Retention == nil {
		return nil
	}
	return b.refusedRetention(o.Retention)
}

func (b *ruleBucket) refusedRetention(r *ruleRetention) *refusal {
	if !b.locking {
		return bad("The bucket does not allow object retention.")
	}
	if r.Mode != "Locked" && r.Mode != "Unlocked" || r.Until.Before(time.Now()) {
		return bad("The retention is invalid.")
	}
	return nil
}

// kept returns the refusal to remove or overwrite an object that is locked. archives says that
// the object would become a noncurrent version.
func (o *ruleObject) kept(bucket string, archives bool) *refusal {
	name := "Object '" + bucket + "/" + o.Name + "' is "
	switch {
	case o.TemporaryHold:
		return &refusal{403, "forbidden", name + "under active Temporary hold and cannot be deleted, overwritten or archived until hold is removed.", "ObjectUnderActiveHold"}
	case o.isHeld():
		return &refusal{403, "forbidden", name + "under active Event-Based hold and cannot be deleted, overwritten or archived until hold is removed.", "ObjectUnderActiveHold"}
	case o.KeptUntil != nil && o.KeptUntil.After(time.Now()) && o.Retention == nil:
		return &refusal{403, "forbidden", name + "subject to bucket's retention policy and cannot be deleted, overwritten or archived until " + o.KeptUntil.Format(time.RFC3339), "RetentionPolicyNotMet"}
	case o.Retention != nil && o.Retention.Until.After(time.Now()) && !archives:
		return &refusal{403, "retentionPolicyNotMet", name + "subject to bucket's retention policy or object retention and cannot be deleted or overwritten until " + o.Retention.Until.Format(time.RFC3339), "RetentionPolicyNotMet"}
	}
	return nil
}

func (o *ruleObject) isHeld() bool { return o.EventBasedHold != nil && *o.EventBasedHold }

// keep applies the bucket's defaults to an object that is stored, or whose hold has ended. A write
// that does not name the event-based hold gets the bucket's default (EventBasedHold in Google's
// storage.proto). The retention begins when the hold ends.
// https://cloud.google.com/storage/docs/object-holds, https://cloud.google.com/storage/docs/bucket-lock
func (o *ruleObject) keep(b *ruleBucket) {
	if o.EventBasedHold == nil && b.holding && !(b.released && !strings.HasPrefix(o.Name, reserved)) {
		o.EventBasedHold = new(true)
	}
	o.KeptUntil = nil
	if b.retention > 0 && !o.isHeld() {
		o.KeptUntil = new(time.Now().Add(b.retention))
	}
}

// describeLock adds the headers of the XML API.
func (o *ruleObject) describeLock(h http.Header) {
	if o.Retention != nil {
		mode := "GOVERNANCE"
		if o.Retention.Mode == "Locked" {
			mode = "COMPLIANCE"
		}
		h.Set("X-Goog-Object-Lock-Mode", mode)
		h.Set("X-Goog-Object-Lock-Retain-Until-Date", o.Retention.Until.Format(time.RFC3339))
	}
	if o.CustomerEncryption != nil {
		h.Set("X-Goog-Encryption-Algorithm", o.CustomerEncryption.Algorithm)
		h.Set("X-Goog-Encryption-Key-Sha256", o.CustomerEncryption.KeySHA256)
	}
}

// readControls is describeLock for an upload to the XML API.
func (o *ruleObject) readControls(h http.Header, query url.Values) {
	o.key, o.CustomTime = h.Get(keyHeader), h.Get("X-Goog-Custom-Time")
	if name := h.Get("X-Goog-Encryption-Kms-Key-Name"); name != "" {
		query.Set("kmsKeyName", name)
	}
	if retainUntil, err := time.Parse(time.RFC3339, h.Get("X-Goog-Object-Lock-Retain-Until-Date")); err == nil {
		modes := map[string]string{"GOVERNANCE": "Unlocked", "COMPLIANCE": "Locked"}
		o.Retention = &ruleRetention{modes[h.Get("X-Goog-Object-Lock-Mode")], retainUntil}
	}
}

// encrypt sets how a new object is encrypted: by its key, or the key that the query names.
func (o *ruleObject) encrypt(query url.Values) {
	o.KMSKeyName = ""
	o.CustomerEncryption = nil
	if name := query.Get("kmsKeyName") + query.Get("destinationKmsKeyName"); name != "" {
		o.KMSKeyName = name + "/cryptoKeyVersions/1"
	}
	if o.key != "" {
		raw, _ := base64.StdEncoding.DecodeString(o.key)
		sum := sha256.Sum256(raw)
		o.CustomerEncryption = &ruleEncryption{"AES256", base64.StdEncoding.EncodeToString(sum[:])}
	}
}

// opensWith checks the key that comes with a request for the bytes. prefix is "" or
// "Copy-Source-".
func (o *ruleObject) opensWith(h http.Header, prefix string) *refusal {
	key := h.Get("X-Goog-" + prefix + "Encryption-Key")
	raw, _ := base64.StdEncoding.DecodeString(key)
	sum := sha256.Sum256(raw)
	switch {
	case key != "" && (h.Get("X-Goog-"+prefix+"Encryption-Algorithm") != "AES256" || h.Get("X-Goog-"+prefix+"Encryption-Key-Sha256") != base64.StdEncoding.EncodeToString(sum[:])):
		return &refusal{400, "customerEncryptionKeySha256IsInvalid", "The SHA256 hash is invalid.", "CustomerEncryptionKeySha256IsInvalid"}
	case o.key != "" && key == "":
		return &refusal{400, "resourceIsEncryptedWithCustomerEncryptionKey", "The target object is encrypted by a customer-supplied encryption key.", "ResourceIsEncryptedWithCustomerEncryptionKey"}
	case o.key == "" && key != "":
		return &refusal{400, "resourceNotEncryptedWithCustomerEncryptionKey", "The target object is not encrypted by a customer-supplied encryption key.", "ResourceNotEncryptedWithCustomerEncryptionKey"}
	case o.key != key:
		return &refusal{400, "customerEncryptionKeyIsIncorrect", "The provided encryption key is incorrect.", "CustomerEncryptionKeyIsIncorrect"}
	}
	return nil
}

// as returns the resource that a request with these headers gets: without the customer's key,
// without checksums.
func (o *ruleObject) as(h http.Header) *ruleObject {
	if o == nil || o.key == "" || h.Get(keyHeader) == o.key {
		return o
	}
	hidden := *o
	hidden.CRC32C = ""
	hidden.MD5Hash = ""
	return &hidden
}

// patch handles objects.patch for contexts, retention and holds.
func (b *ruleBucket) patch(bucket, key string, r *http.Request, body []byte) (any, *refusal) {
	o, no := b.get(bucket, key, r.URL.Query())
	if no != nil {
		return nil, no
	}
	var change map[string]json.RawMessage
	if json.Unmarshal(body, &change) != nil {
		return nil, bad("Parse Error")
	}
	updated := *o

	for name, value := range change {
		var no *refusal
		switch name {
		case "contexts":
			no = updated.patchContexts(b, value)
		case "retention":
			no = updated.patchRetention(b, value, r.URL.Query().Get("overrideUnlockedRetention") == "true")
		case "eventBasedHold":
			_ = json.Unmarshal(value, &updated.EventBasedHold)
			updated.keep(b)
		case "temporaryHold":
			_ = json.Unmarshal(value, &updated.TemporaryHold)
		}
		if no != nil {
			return nil, no
		}
	}

	n, _ := strconv.Atoi(o.Metageneration)
	updated.Metageneration = strconv.Itoa(n + 1)
	*o = updated
	return o, nil
}

// patchContexts merges contexts by key; null removes one, or all.
func (o *ruleObject) patchContexts(b *ruleBucket, value json.RawMessage) *refusal {
	if string(value) == "null" {
		o.Contexts = nil
		return nil
	}
	var contexts ruleContexts
	if json.Unmarshal(value, &contexts) != nil {
		return bad("Parse Error")
	}
	merged := map[string]*ruleContext{}
	if o.Contexts != nil {
		maps.Copy(merged, o.Contexts.Custom)
	}
	for key, context := range contexts.Custom {
		merged[key] = context
		if context == nil {
			delete(merged, key)
		}
	}
	o.Contexts = &ruleContexts{merged}
	return (&ruleObject{ruleControls: ruleControls{Contexts: o.Contexts}}).refused(b)
}

func (o *ruleObject) patchRetention(b *ruleBucket, value json.RawMessage, override bool) *refusal {
	wanted := &ruleRetention{}
	if string(value) == "null" {
		wanted = nil
	} else if json.Unmarshal(value, wanted) != nil {
		return bad("Parse Error")
	} else if no := b.refusedRetention(wanted); no != nil {
		return no
	}
	if current := o.Retention; current != nil && current.Until.After(time.Now()) {
		weaker := wanted == nil || wanted.Mode != current.Mode || wanted.Until.Before(current.Until)
		if weaker && (current.Mode == "Locked" || !override) {
			return &refusal{403, "forbidden", "The object retention cannot be removed or shortened.", "AccessDenied"}
		}
	}
	o.Retention = wanted
	return nil
}

// change changes the current object as another client would.
func (s *ruleServer) change(bucket, key string, f func(*ruleObject)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.buckets[bucket].find(key, ""))
}

// lockedUntil returns a time that no test reaches.
func lockedUntil() time.Time { return time.Now().Add(time.Hour).Truncate(time.Second).UTC() }
