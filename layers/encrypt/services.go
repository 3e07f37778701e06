package encrypt

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// A serviceOpener returns the Keys of a key management service. name is the name of the key at the
// service.
type serviceOpener func(ctx context.Context, name string) (Keys, error)

var services = struct {
	sync.RWMutex
	by map[string]serviceOpener
}{by: map[string]serviceOpener{}}

// RegisterService registers a key management service for configuration files. Such a file names a
// key by the service, a colon and the key, such as awskms:arn:aws:kms:…. The function open should
// use the credentials of the provider's default chain, and its errors should name the service. The
// packages awskms, googlekms and azurekeyvault call RegisterService when they are imported. It
// panics if the name is already registered.
func RegisterService(name string, open func(ctx context.Context, key string) (Keys, error)) {
	services.Lock()
	defer services.Unlock()
	if _, ok := services.by[name]; ok {
		panic("encrypt: RegisterService: " + name + " is registered already")
	}
	services.by[name] = open
}

// servicePackages contains the names of the services of this library. Each value is the word with
// which the service refers to the name of a key.
var servicePackages = map[string]string{"awskms": "ARN", "googlekms": "NAME", "azurekeyvault": "URL"}

const serviceKeys = "keys of a service: awskms:ARN, googlekms:NAME or azurekeyvault:URL"

// isServiceKey reports whether text names a key of a service rather than a public key of age.
func isServiceKey(text string) bool {
	name, _, ok := strings.Cut(text, ":")
	if _, isKnown := servicePackages[name]; isKnown {
		return true
	}
	services.RLock()
	defer services.RUnlock()
	return ok && services.by[name] != nil
}

// openServiceKeys opens the names that are keys of services, and ignores the others.
func openServiceKeys(ctx context.Context, names []string) ([]Keys, error) {
	var all []Keys
	for _, name := range names {
		if !isServiceKey(name) {
			continue
		}
		service, key, _ := strings.Cut(name, ":")
		open, err := serviceOpenerOf(service)
		if err != nil {
			return nil, err
		}
		keys, err := open(ctx, key)
		if err != nil {
			return nil, err
		}
		all = append(all, keys)
	}
	return all, nil
}

// serviceOpenerOf returns the function that opens keys of the named service. It fails with
// InvalidArgument if the program does not import the package of the service.
func serviceOpenerOf(name string) (serviceOpener, error) {
	services.RLock()
	open := services.by[name]
	available := slices.Sorted(maps.Keys(services.by))
	services.RUnlock()
	if open == nil {
		return nil, invalid("", fmt.Sprintf("service %s must be compiled into the program, which has: %s",
			name, strings.Join(available, ", ")),
			fmt.Sprintf("import _ %q", "github.com/omnibucket/storage/layers/encrypt/"+name))
	}
	return open, nil
}
