package listen

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"net"
	"time"
)

// certificateTerm is the longest term that Apple's clients accept.
const certificateTerm = 825 * 24 * time.Hour

// WithCertificate returns a copy of c that has a certificate, and the certificate that
// clients must trust. It makes one for the hosts if c has none.
func WithCertificate(c *tls.Config, hosts []string) (*tls.Config, *x509.Certificate, error) {
	c = c.Clone()
	c.NextProtos = []string{"http/1.1"}
	if c.GetCertificate != nil || c.GetConfigForClient != nil {
		return c, nil, nil // the caller knows what to trust
	}
	if len(c.Certificates) == 0 {
		var authority *x509.Certificate
		var err error
		authority, c.GetCertificate, err = newAuthority(hosts)
		return c, authority, err
	}
	first := c.Certificates[0]
	if len(first.Certificate) == 0 || first.PrivateKey == nil {
		return nil, nil, errors.New("the first of Config.TLS.Certificates must have a certificate and a private key")
	}
	leaf, err := x509.ParseCertificate(first.Certificate[0])
	return c, leaf, err
}

// Hosts returns the names under which clients reach the server.
func Hosts(addr string, domains []string) []string {
	hosts := []string{"localhost", "*.localhost", "127.0.0.1", "::1"}
	for _, domain := range domains {
		hosts = append(hosts, domain, "*."+domain)
	}
	if host, _, err := net.SplitHostPort(addr); err == nil && host != "" {
		hosts = append(hosts, host)
	}
	return hosts
}

// newAuthority makes a certificate that signs itself, and a function that signs one for each connection. With rustls,
// clients refuse the first from a server, and with OpenSSL and Node.js one of *.localhost for photos.localhost.
func newAuthority(hosts []string) (*x509.Certificate, func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	template := x509.Certificate{
		Subject:   pkix.Name{CommonName: "s3server's authority"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateTerm - time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA: true, BasicConstraintsValid: true,
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	sign := func(template, parent *x509.Certificate) ([]byte, error) {
		return x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, key)
	}
	der, err := sign(&template, &template)
	if err != nil {
		return nil, nil, err
	}
	authority, err := x509.ParseCertificate(der)
	template.Subject.CommonName, template.IsCA, template.KeyUsage = "s3server", false, x509.KeyUsageDigitalSignature
	return authority, func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		own := template
		if authority.VerifyHostname(hello.ServerName) == nil {
			own.DNSNames = append([]string{hello.ServerName}, own.DNSNames...)
		}
		der, err := sign(&own, authority)
		return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
	}, err
}

func EncodeCertificate(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
