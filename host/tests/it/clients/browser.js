// A browser that does what it is told, as a person with a keyboard would: requests come as lines of JSON, and so go answers.
// Arguments: the browser's program.
'use strict';

const fs = require('fs');
const readline = require('readline');
const { chromium } = require('playwright-core');

const TIMEOUT = 60_000;

class Browser {
    constructor(browser) {
        this.browser = browser;
        this.errors = [];
        this.requests = [];
    }

    async open({ url, width, height, dark }) {
        await this.context?.close();
        this.context = await this.browser.newContext({
            viewport: { width, height },
            colorScheme: dark ? 'dark' : 'light',
        });
        this.context.setDefaultTimeout(TIMEOUT);
        this.page = await this.context.newPage();
        this.page.on('console', (message) => message.type() === 'error' && this.errors.push(message.text()));
        this.page.on('pageerror', (error) => this.errors.push(`${error}`));
        this.page.on('request', (request) => this.requests.push(request.url()));
        // What a screen reader would say: each text that a live region comes to have.
        await this.page.addInitScript(() => {
            window.announced = [];
            new MutationObserver((changes) => {
                for (const { target } of changes) {
                    const element = target.nodeType === Node.TEXT_NODE ? target.parentElement : target;
                    const region = element?.closest?.('[role=status], [role=alert], [aria-live]');
                    if (region?.textContent) window.announced.push(region.textContent);
                }
            }).observe(document, { subtree: true, childList: true, characterData: true });
        });
        await this.page.goto(url);
    }

    // Waits until somebody sees an element with a text that matches, and gives its text.
    async sees({ where, text }) {
        const found = this.page.locator(where).filter({ hasText: new RegExp(text) }).first();
        await found.waitFor({ state: 'visible' });
        return found.innerText();
    }

    async count({ where }) {
        return this.page.locator(where).count();
    }

    async press({ key }) {
        await this.page.keyboard.press(key);
        return this.page.evaluate(() => {
            const it = document.activeElement;
            return it.getAttribute('aria-label') ?? it.labels?.[0]?.textContent ?? it.textContent;
        });
    }

    async type({ text }) {
        await this.page.keyboard.type(text);
    }

    async value({ script }) {
        return this.page.evaluate(script);
    }

    // What axe finds, with the elements.
    async axe() {
        const session = await this.context.newCDPSession(this.page);
        const run = async (expression) => {
            const options = { expression, awaitPromise: true, returnByValue: true, allowUnsafeEvalBlockedByCSP: true };
            const { result, exceptionDetails } = await session.send('Runtime.evaluate', options);
            if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
            return result.value;
        };
        await run(`${fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')};0`);
        const found = await run('axe.run().then(({ violations, incomplete, passes }) => ({ violations, incomplete, passes: passes.length }))');
        // Where it cannot tell a contrast, nobody has looked at it.
        const unknown = found.incomplete.filter(({ id }) => id === 'color-contrast');
        const faults = [...found.violations, ...unknown].flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
        return { faults, passes: found.passes };
    }

    async screenshot({ path }) {
        await this.page.screenshot({ path, fullPage: true });
    }

    async seen() {
        return { errors: this.errors, requests: this.requests };
    }
}

async function main([program]) {
    const browser = new Browser(await chromium.launch({ executablePath: program }));
    for await (const line of readline.createInterface({ input: process.stdin })) {
        const { call, ...options } = JSON.parse(line);
        const answer = await browser[call](options).then(
            (value) => ({ value: value ?? null }),
            (error) => ({ error: `${error}` }),
        );
        console.log(JSON.stringify(answer));
    }
    await browser.browser.close();
}

main(process.argv.slice(2)).catch((error) => {
    console.error(error);
    process.exitCode = 1;
});
