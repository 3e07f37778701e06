package config

import (
	"context"
	"strings"

	"github.com/omnibucket/storage/layers/encrypt"
	"github.com/omnibucket/storage/layers/encrypt/awskms"
	"github.com/omnibucket/storage/layers/encrypt/azurekeyvault"
	"github.com/omnibucket/storage/layers/encrypt/googlekms"
)

// services are the prefixes of keys of key management services, in texts.
const services = "a service: awskms:ARN, googlekms:NAME or azurekeyvault:URL"

// openers open the keys of services by the prefix of their names. The credentials are those of each
// provider's default chain.
var openers = map[string]func(name string) (encrypt.Keys, error){
	"awskms": func(name string) (encrypt.Keys, error) {
		return awskms.New(context.Background(), awskms.Config{Key: name})
	},
	"googlekms": func(name string) (encrypt.Keys, error) {
		return googlekms.New(context.Background(), googlekms.Config{Key: name})
	},
	"azurekeyvault": func(name string) (encrypt.Keys, error) { return azurekeyvault.New(azurekeyvault.Config{Key: name}) },
}

func isServiceKey(name string) bool {
	service, _, _ := strings.Cut(name, ":")
	return openers[service] != nil
}

func isPublicKey(name string) bool { return !isServiceKey(name) }

// serviceKeys opens those of names that are keys of services.
func serviceKeys(names []string) (all []encrypt.Keys, err error) {
	for _, name := range names {
		service, key, _ := strings.Cut(name, ":")
		if openers[service] == nil {
			continue
		}
		keys, err := openers[service](key)
		if err != nil {
			return nil, ruleOf("encrypt: "+service+": ", err)
		}
		all = append(all, keys)
	}
	return all, nil
}
