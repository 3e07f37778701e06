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
	"unicode/utf8"
)

// ruleControls are the contexts, the retention and the holds of an object.
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

// validContext reports whether Google keeps a key or value: it begins with a letter, a digit or a character that is
// not ASCII. https://cloud.google.com/storage/docs/object-contexts
func validContext(text string) bool {
	const maxLength = 256
	if text == "" || len(text) > maxLength || strings.ContainsAny(text, `'"\/`) {
		return false
	}
	first := text[0]
	isDigit := first >= '0' && first <= '9'
	isLetter := first >= 'a' && first <= 'z' || first >= 'A' && first <= 'Z'
	return isDigit || isLetter || first >= utf8.RuneSelf
}

// controlsRefusal returns why the bucket does not take the controls of a new object, or nil.
func (o *ruleObject) controlsRefusal(b *ruleBucket) *refusal {
	if problem := o.contextsRefusal(); problem != nil {
		return problem
	}
	if o.Retention == nil {
		return nil
	}
	return b.retentionRefusal(o.Retention)
}

// contextsRefusal returns why Google does not keep the contexts of an object, or nil.
func (o *ruleObject) contextsRefusal() *refusal {
	if o.Contexts == nil {
		return nil
	}
	for key, context := range o.Contexts.Custom {
		isReserved := strings.HasPrefix(strings.ToLower(key), "goog")
		if isReserved || !validContext(key) || context == nil || !validContext(context.Value) {
			return invalidArgument("Invalid object context " + strconv.Quote(key))
		}
	}
	if len(o.Contexts.Custom) > maxContexts {
		return invalidArgument("Too many object contexts")
	}
	return nil
}

// retentionRefusal returns why the bucket does not take a retention, or nil.
func (b *ruleBucket) retentionRefusal(r *ruleRetention) *refusal {
	if !b.locking {
		return invalidArgument("The bucket does not allow object retention.")
	}
	if r.Mode != "Locked" && r.Mode != "Unlocked" || r.Until.Before(time.Now()) {
		return invalidArgument("The retention is invalid.")
	}
	return nil
}

// lockRefusal returns why a locked object cannot be removed or overwritten, or nil. If archives is
// true, the object would become a noncurrent version.
func (o *ruleObject) lockRefusal(bucket string, archives bool) *refusal {
	const heldUntil = " hold and cannot be deleted, overwritten or archived until hold is removed."
	object := "Object '" + bucket + "/" + o.Name + "' is "
	switch {
	case o.TemporaryHold:
		return &refusal{
			status:  http.StatusForbidden,
			reason:  "forbidden",
			message: object + "under active Temporary" + heldUntil,
			xmlCode: "ObjectUnderActiveHold",
		}
	case o.isHeld():
		return &refusal{
			status:  http.StatusForbidden,
			reason:  "forbidden",
			message: object + "under active Event-Based" + heldUntil,
			xmlCode: "ObjectUnderActiveHold",
		}
	case o.KeptUntil != nil && o.KeptUntil.After(time.Now()) && o.Retention == nil:
		return &refusal{
			status: http.StatusForbidden,
			reason: "forbidden",
			message: object + "subject to bucket's retention policy and cannot be deleted, overwritten or " +
				"archived until " + o.KeptUntil.Format(time.RFC3339),
			xmlCode: "RetentionPolicyNotMet",
		}
	case o.Retention != nil && o.Retention.Until.After(time.Now()) && !archives:
		return &refusal{
			status: http.StatusForbidden,
			reason: "retentionPolicyNotMet",
			message: object + "subject to bucket's retention policy or object retention and cannot be deleted or " +
				"overwritten until " + o.Retention.Until.Format(time.RFC3339),
			xmlCode: "RetentionPolicyNotMet",
		}
	}
	return nil
}

// isHeld reports whether the object is under an event-based hold.
func (o *ruleObject) isHeld() bool { return o.EventBasedHold != nil && *o.EventBasedHold }

// keep applies the bucket's defaults to an object that is stored, or whose hold has ended. A write
// that does not name the event-based hold gets the bucket's default (EventBasedHold in Google's
// storage.proto). The retention begins when the hold ends.
// https://cloud.google.com/storage/docs/object-holds, https://cloud.google.com/storage/docs/bucket-lock
func (o *ruleObject) keep(b *ruleBucket) {
	isReleased := b.released && !strings.HasPrefix(o.Name, reserved) // the owner has ended the hold already
	if o.EventBasedHold == nil && b.holding && !isReleased {
		o.EventBasedHold = new(true)
	}
	o.KeptUntil = nil
	if b.retention > 0 && !o.isHeld() {
		o.KeptUntil = new(time.Now().Add(b.retention))
	}
}

// describeLock adds the headers with which the XML API describes the object's retention and its customer's key.
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

// readControls sets the controls of an object from the headers of its upload to the XML API. The KMS key is moved to
// query, in which the JSON API has it.
func (o *ruleObject) readControls(h http.Header, query url.Values) {
	o.key = h.Get(keyHeader)
	o.CustomTime = h.Get("X-Goog-Custom-Time")
	if name := h.Get("X-Goog-Encryption-Kms-Key-Name"); name != "" {
		query.Set("kmsKeyName", name)
	}
	if retainUntil, err := time.Parse(time.RFC3339, h.Get("X-Goog-Object-Lock-Retain-Until-Date")); err == nil {
		modes := map[string]string{"GOVERNANCE": "Unlocked", "COMPLIANCE": "Locked"}
		o.Retention = &ruleRetention{modes[h.Get("X-Goog-Object-Lock-Mode")], retainUntil}
	}
}

// encrypt sets how a new object is encrypted: by its customer's key, or by the KMS key that the
// query names.
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

// checkKey checks the customer's key that comes with a request for the bytes. prefix is "" or "Copy-Source-".
func (o *ruleObject) checkKey(h http.Header, prefix string) *refusal {
	prefix = "X-Goog-" + prefix + "Encryption-"
	key := h.Get(prefix + "Key")
	raw, _ := base64.StdEncoding.DecodeString(key) // an invalid key has another hash
	sum := sha256.Sum256(raw)
	isValid := h.Get(prefix+"Algorithm") == "AES256" &&
		h.Get(prefix+"Key-Sha256") == base64.StdEncoding.EncodeToString(sum[:])

	switch {
	case key != "" && !isValid:
		return &refusal{
			status:  http.StatusBadRequest,
			reason:  "customerEncryptionKeySha256IsInvalid",
			message: "The SHA256 hash is invalid.",
			xmlCode: "CustomerEncryptionKeySha256IsInvalid",
		}
	case key == o.key:
		return nil
	case key == "":
		return &refusal{
			status:  http.StatusBadRequest,
			reason:  "resourceIsEncryptedWithCustomerEncryptionKey",
			message: "The target object is encrypted by a customer-supplied encryption key.",
			xmlCode: "ResourceIsEncryptedWithCustomerEncryptionKey",
		}
	case o.key == "":
		return &refusal{
			status:  http.StatusBadRequest,
			reason:  "resourceNotEncryptedWithCustomerEncryptionKey",
			message: "The target object is not encrypted by a customer-supplied encryption key.",
			xmlCode: "ResourceNotEncryptedWithCustomerEncryptionKey",
		}
	}
	return &refusal{
		status:  http.StatusBadRequest,
		reason:  "customerEncryptionKeyIsIncorrect",
		message: "The provided encryption key is incorrect.",
		xmlCode: "CustomerEncryptionKeyIsIncorrect",
	}
}

// The method as returns the resource as a request with these headers sees it. Without the
// customer's key, the resource has no checksums.
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
	o, problem := b.get(bucket, key, r.URL.Query())
	if problem != nil {
		return nil, problem
	}
	var change map[string]json.RawMessage
	if json.Unmarshal(body, &change) != nil {
		return nil, invalidArgument("Parse Error")
	}
	updated := *o

	for name, value := range change {
		var problem *refusal
		switch name {
		case "contexts":
			problem = updated.patchContexts(value)
		case "retention":
			problem = updated.patchRetention(b, value, r.URL.Query().Get("overrideUnlockedRetention") == "true")
		case "eventBasedHold":
			_ = json.Unmarshal(value, &updated.EventBasedHold)
			updated.keep(b)
		case "temporaryHold":
			_ = json.Unmarshal(value, &updated.TemporaryHold)
		}
		if problem != nil {
			return nil, problem
		}
	}

	n, _ := strconv.Atoi(o.Metageneration)
	updated.Metageneration = strconv.Itoa(n + 1)
	*o = updated
	return o, nil
}

// patchContexts merges contexts by key. The value null for a key removes one context, and null for
// the whole removes all contexts.
func (o *ruleObject) patchContexts(value json.RawMessage) *refusal {
	if string(value) == "null" {
		o.Contexts = nil
		return nil
	}
	var contexts ruleContexts
	if json.Unmarshal(value, &contexts) != nil {
		return invalidArgument("Parse Error")
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
	return o.contextsRefusal()
}

// patchRetention replaces the retention; null removes it. A weaker retention needs override, and an
// old retention in the mode Unlocked.
func (o *ruleObject) patchRetention(b *ruleBucket, value json.RawMessage, override bool) *refusal {
	var retention *ruleRetention
	if err := json.Unmarshal(value, &retention); err != nil {
		return invalidArgument("Parse Error")
	}
	if retention != nil {
		if problem := b.retentionRefusal(retention); problem != nil {
			return problem
		}
	}

	mayWeaken := override && o.Retention != nil && o.Retention.Mode != "Locked"
	if o.Retention.isWeakenedBy(retention) && !mayWeaken {
		return &refusal{
			status:  http.StatusForbidden,
			reason:  "forbidden",
			message: "The object retention cannot be removed or shortened.",
			xmlCode: "AccessDenied",
		}
	}
	o.Retention = retention
	return nil
}

// isWeakenedBy reports whether another retention, or none, would protect less than r does now.
func (r *ruleRetention) isWeakenedBy(other *ruleRetention) bool {
	if r == nil || !r.Until.After(time.Now()) {
		return false
	}
	return other == nil || other.Mode != r.Mode || other.Until.Before(r.Until)
}

// change changes the current object as another client would.
func (s *ruleServer) change(bucket, key string, f func(*ruleObject)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.buckets[bucket].find(key, ""))
}

// lockedUntil returns a time that no test reaches.
func lockedUntil() time.Time { return time.Now().Add(time.Hour).Truncate(time.Second).UTC() }
