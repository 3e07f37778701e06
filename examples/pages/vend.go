package pages

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/omnibucket/storage"
)

// catalog gives each user credentials for the user's own folder. userOf returns the id of a user who has logged in.
func catalog(bucket storage.Bucket, userOf func(*http.Request) (string, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user, err := userOf(r)
		if err != nil {
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		}
		rights := storage.Rights{Read: true, List: true, Write: true}
		credentials, err := storage.Vend(r.Context(), bucket, "users/"+user+"/", rights, time.Hour)
		if err != nil {
			http.Error(w, "no credentials", http.StatusBadGateway)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(credentials)
	}
}

// askAt returns a function that gets credentials at the address of the catalog.
func askAt(address string) func(ctx context.Context, key string) (*storage.VendedCredentials, error) {
	return func(ctx context.Context, _ string) (*storage.VendedCredentials, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return nil, err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("the catalog responds with %s", response.Status)
		}
		var credentials storage.VendedCredentials
		err = json.NewDecoder(response.Body).Decode(&credentials)
		return &credentials, err
	}
}
