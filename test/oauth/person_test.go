package oauth_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
)

// browse opens the address of a login, fills in the form and goes where it leads,
// back to the program.
func browse(address string) error {
	browser := newBrowser()
	page, err := browser.Get(address)
	if err != nil {
		return err
	}
	id := page.Request.URL.Query().Get("authRequestID")
	if err := done(page); err != nil {
		return err
	}
	form := url.Values{"id": {id}, "username": {mailbox}, "password": {loginPassword}}
	page, err = browser.PostForm("http://"+page.Request.URL.Host+"/login/username", form)
	if err != nil {
		return err
	}
	return done(page)
}

// typeIn permits a device.
func typeIn(address, code, action string) error {
	browser := newBrowser()
	page, err := browser.PostForm(address+"/login", url.Values{"user_code": {code}, "username": {mailbox}, "password": {loginPassword}})
	if err != nil {
		return err
	}
	if err := done(page); err != nil {
		return err
	}
	if page, err = browser.Get(address + "/confirm?action=" + action); err != nil {
		return err
	}
	return done(page)
}

func newBrowser() *http.Client {
	jar, _ := cookiejar.New(nil) // never fails without options
	return &http.Client{Jar: jar}
}

func done(page *http.Response) error {
	text, err := io.ReadAll(page.Body)
	err = errors.Join(err, page.Body.Close())
	if err == nil && page.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", page.Status, strings.TrimSpace(string(text)))
	}
	return err
}
